//! `POST /v3/auth/jwks/refresh`: the keys that tokens are checked with are fetched anew.
//! Fetching them is the gate's business.

use crate::orders;
use crate::routes::Control;
use actix_web::{HttpResponse, web};

pub(crate) async fn refresh(control: web::Data<Control>) -> HttpResponse {
    control.gate.refresh_keys();
    orders::done()
}
