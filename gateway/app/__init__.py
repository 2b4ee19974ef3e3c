"""E: the composition root: the only package that names concrete classes."""

from gateway.app.worker import App, Update, run_worker

__all__ = ["App", "Update", "run_worker"]
