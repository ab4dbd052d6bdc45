//! Status codes and their reason phrases (RFC 2326 §7.1.1).
//! Which code answers what is decided where requests are.

/// A status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u16);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal $reason:literal;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The phrase that follows the code on the status line.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    _ => "Unknown",
                }
            }
        }
    };
}

statuses! {
    /// Done.
    OK = 200 "OK";
    /// Ask at the URL in `Location`.
    MOVED_TEMPORARILY = 302 "Moved Temporarily";
    /// The request cannot be understood.
    BAD_REQUEST = 400 "Bad Request";
    /// Credentials are needed.
    UNAUTHORIZED = 401 "Unauthorized";
    /// These credentials may not.
    FORBIDDEN = 403 "Forbidden";
    /// No such stream or track.
    NOT_FOUND = 404 "Not Found";
    /// Known method, not for this resource; `Allow` lists those that are.
    METHOD_NOT_ALLOWED = 405 "Method Not Allowed";
    /// None of the accepted description formats is ours.
    NOT_ACCEPTABLE = 406 "Not Acceptable";
    /// The request was not completed in time.
    REQUEST_TIMEOUT = 408 "Request Time-out";
    /// The body is larger than is taken.
    ENTITY_TOO_LARGE = 413 "Request Entity Too Large";
    /// The body names a parameter that is not understood.
    PARAMETER_NOT_UNDERSTOOD = 451 "Parameter Not Understood";
    /// Too many readers.
    NOT_ENOUGH_BANDWIDTH = 453 "Not Enough Bandwidth";
    /// No such session.
    SESSION_NOT_FOUND = 454 "Session Not Found";
    /// The method cannot be used in the session's state.
    METHOD_NOT_VALID = 455 "Method Not Valid in This State";
    /// The URL names a presentation where a single track is needed.
    AGGREGATE_NOT_ALLOWED = 459 "Aggregate Operation Not Allowed";
    /// None of the offered transports is ours.
    UNSUPPORTED_TRANSPORT = 461 "Unsupported Transport";
    /// A fault of ours.
    INTERNAL = 500 "Internal Server Error";
    /// A method we do not have.
    NOT_IMPLEMENTED = 501 "Not Implemented";
    /// Not now; `Retry-After` says when.
    UNAVAILABLE = 503 "Service Unavailable";
    /// Not RTSP 1.0.
    VERSION = 505 "RTSP Version Not Supported";
}
