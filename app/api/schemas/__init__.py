"""The bodies of requests and answers, one module for each kind of resource."""
