//! A hostile day: half-open connections, wrong logins, huge and endless bodies, beside live streams.
//! Hostile media is the business of the e2e tests.
