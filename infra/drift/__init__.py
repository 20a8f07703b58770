"""What changed outside of Terraform: who did it, and the two ways out."""
