"""Single sign-on by OpenID Connect (code flow, PKCE): the part that talks to the issuer.

Four parties: the person's browser, this service, the issuer, and whoever sends links to the browser. The browser
carries a code from the issuer to us, and is trusted with nothing more. So the service fetches the tokens itself, over a
connection to the issuer, and accepts only an id token that the issuer has signed for this service and for this sign-in
(`issuer`). A sign-in belongs to the browser that began it (`flow`), because otherwise another
site could finish a sign-in of its own there, and make somebody work under a stranger's name.

An identity is the pair of issuer and subject. Address and name may change at the issuer; the packages above decide how
to use them (`app.access.identities`). Authlib and joserfc do the cryptography and the checks of claims.

Source: OpenID Connect Core 1.0, Discovery 1.0; RFC 7636 (PKCE); RFC 9207 (the parameter ``iss``); RFC 9700 (security).
"""
