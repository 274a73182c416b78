// Tells the platform that its registration is over; it closes the frame or the window that shows this page.
const platform = window.opener ?? (window.parent === window ? null : window.parent);
platform?.postMessage({ subject: "org.imsglobal.lti.close" }, "*");
