"""Mail, composed in the reader's language and sent in the background.

This package knows the service's texts and a mail server, but nothing of people, courses or requests. Callers use
`Mailer.send` with an address, a language, a kind and the parameters of its text. A kind is a pair of texts
in app/locale: ``mail.KIND.subject`` and ``mail.KIND.body``.
"""
