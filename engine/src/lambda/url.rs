//! Function URLs under the engine: `/_stagewright/function/NAME/…`.

use axum::Router;

use crate::app::App;

/// The routes; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    Router::new()
}
