"""Mail: composed in the reader's language and sent in the background.

It knows the texts of the service and a mail server, and nothing of people, courses or requests. Whoever has something
to say calls `Mailer.send` with an address, a language, a kind and the parameters of its text. A kind is a pair of texts
in app/locale: ``mail.KIND.subject`` and ``mail.KIND.body``.
"""
