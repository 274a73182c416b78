"""The endpoints of the JSON API, one module for each thing that clients ask for."""
