"""Registration: a platform and this service get to know each other, by hand or as the platform registers itself."""
