//! Who may do what: each method by each action, protocol and credential, and a callback that hangs.
//! The rules themselves are tested beside the auth crate.
