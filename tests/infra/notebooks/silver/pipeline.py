# Databricks notebook source
print("silver/pipeline")
