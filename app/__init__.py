"""The service: HTTP API, pages, storage and queue. It never imports TensorFlow."""
