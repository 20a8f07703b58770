# Databricks notebook source
print("operations/health_summary")
