//! What members, clients and operators say to the controller, and what it says to them: `controller/v1`.

mod request;
mod response;

pub use request::{decode_page_token, decode_report, decode_scheduler};
pub use response::{encode_engine_event, encode_keep_alive, encode_member_event, encode_page_token, encode_status};
