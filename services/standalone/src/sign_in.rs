//! The first user, and the link by which somebody signs in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use host::Failure;
use http_api::client::{Client, Credentials, Reply};
use serde_json::{Value, json};

use crate::tools::caller::{Caller, random_key};
use crate::tools::print;

/// A user that is made where there is none of the name.
pub(crate) struct FirstUser {
    /// What the user signs in with.
    pub(crate) name: &'static str,
    /// As others read it.
    pub(crate) display_name: &'static str,
    /// As the API spells it.
    pub(crate) role: &'static str,
}

/// Whoever started the process.
const OWNER: FirstUser = FirstUser { name: "owner", display_name: "Owner 店主", role: "analyst_lead" };

/// Prints a link for the owner; the first time the owner is made.
pub(crate) async fn announce(listening: SocketAddr, data_dir: PathBuf) {
    let told = async {
        let caller = Caller::new(&data_dir, Some(format!("http://{}", from_here(listening))), None)?;
        let link = sign_in_link(&caller.client, &caller.credentials, &OWNER).await?;
        print(&format!("dashboard: {}{link}", caller.address));
        Ok::<_, Failure>(())
    };
    if let Err(error) = told.await {
        tracing::warn!(%error, "no link to sign in could be made; `counterfoil users link owner` makes one");
    }
}

/// Who listens on all addresses is reached on this machine's own.
fn from_here(listening: SocketAddr) -> SocketAddr {
    let ip = if listening.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listening.ip() };
    SocketAddr::new(ip, listening.port())
}

/// A link by which the user signs in once, relative to the server's address; the user is made where there is none.
pub(crate) async fn sign_in_link(client: &Client, platform: &Credentials, user: &FirstUser) -> Result<String, Failure> {
    let FirstUser { name, display_name, role } = user;
    let key = random_key();
    let known = id_of(client, platform, name).await?;
    let reply = if let Some(id) = known {
        client.signed(platform, "POST", &format!("/v1/users/{id}/link"), Some(&key), None).await?
    } else {
        let user = json!({"name": name, "display_name": display_name, "role": role});
        client.signed(platform, "POST", "/v1/users", Some(&key), Some(&user)).await?
    };
    let link = json_of(&reply)?["sign_in_url"].as_str().map(str::to_owned);
    link.ok_or_else(|| "an answer without a link".into())
}

/// The id of the user with a name.
pub(crate) async fn id_of(client: &Client, platform: &Credentials, name: &str) -> Result<Option<String>, Failure> {
    let found = client.signed(platform, "GET", &format!("/v1/users?name={name}"), None, None).await?;
    Ok(json_of(&found)?["data"][0]["id"].as_str().map(str::to_owned))
}

/// What was answered; a refusal in its own words.
pub(crate) fn json_of(reply: &Reply) -> Result<Value, Failure> {
    let body = reply.json()?;
    if reply.status.is_success() {
        return Ok(body);
    }
    Err(body["detail"].as_str().unwrap_or("refused").to_owned().into())
}
