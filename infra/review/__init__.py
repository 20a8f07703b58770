"""Reads a Terraform plan and says what it puts at risk: Markdown, JSON, SARIF."""
