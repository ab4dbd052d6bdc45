//! Readers' requests before the hubs are there: the RTSP port is bound first, so that the lease can name it from the start.
//! Nothing is served before the node runs, and then the egress answers.

use futures::future::{BoxFuture, ready};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use weft_egress::Egress;
use weft_rtsp_server::{DescribeRequest, PlayHandler, PlaySource, Refusal};
use weft_wire::StreamName;

/// When a client that was too early may come again.
const AGAIN: Duration = Duration::from_secs(1);

/// The egress, once it is there; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Late(Arc<OnceLock<Egress>>);

impl Late {
    pub(crate) fn set(&self, egress: Egress) {
        // Set once, by `build`.
        self.0.set(egress).ok();
    }
}

impl PlayHandler for Late {
    fn describe(&self, request: DescribeRequest) -> BoxFuture<'_, Result<Arc<dyn PlaySource>, Refusal>> {
        match self.0.get() {
            Some(egress) => egress.describe(request),
            None => Box::pin(ready(Err(Refusal::Unavailable(AGAIN)))),
        }
    }

    fn patience(&self, stream: &StreamName) -> Duration {
        self.0
            .get()
            .map_or(Duration::ZERO, |egress| egress.patience(stream))
    }
}
