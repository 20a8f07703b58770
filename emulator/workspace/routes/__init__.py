"""The routes, one module an API; app.py takes in every module of this package."""
