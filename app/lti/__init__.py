"""LTI 1.3: a learning management system ("platform") opens this service for its courses, and gets the grades back.

A launch has four steps. The platform sends the person's browser to us (`login`), and we send it back to the platform
with a state and a nonce. The platform signs a message about person, course and link, and the browser posts it to us
(`message`). We believe it if the platform's key has signed it, for us, now, and for the launch that this very browser
has begun. Then the platform's course is a course here, its person a member, its link an assignment (`arrival`).

A platform is trusted about its own courses and people, and about nothing else. So its persons are known by platform and
`sub`, never by e-mail, and the session of a launch sees the course of the launch alone.

Source: 1EdTech LTI Core 1.3, Security Framework 1.0 (with amendment 1), LTI OIDC Login with Client Side postMessages,
Assignment and Grade Services 2.0, Names and Role Provisioning Services 2.0, Deep Linking 2.0, Dynamic Registration 1.0.
"""
