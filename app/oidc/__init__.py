"""OpenID Connect: what an issuer says about a person, checked."""
