//! Hostile operators' day: floods, dribbling clients, bodies without measure, wrong logins, beside live streams that nobody may
//! notice it on; and TLS with the clients people use. What a limit is about is in `docs/guides/tls.md` and `docs/config.md`.

mod attack;
mod certificate;
mod day;
mod fortress;
mod guide;
mod rates;
mod tls;
