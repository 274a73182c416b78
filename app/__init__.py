"""The service: HTTP API, pages, storage and jobs. No TensorFlow in this process."""
