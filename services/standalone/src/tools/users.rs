//! `counterfoil users`: people who sign in to the pages.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use host::Failure;
use serde_json::{Value, json};

use super::caller::{Caller, random_key};
use super::print;
use crate::sign_in::{self, json_of};

/// What is asked for.
#[derive(Args)]
pub(crate) struct Asked {
    /// Where the server listens [default: as the running server says]
    #[arg(long, global = true, value_name = "URL")]
    target: Option<String>,
    /// A file with `key_id` and secret [default: platform-key.json in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make a user, and print a link to sign in by once
    Add {
        /// What the user signs in with: 2 to 64 of a-z0-9._@-
        name: String,
        /// analyst, `analyst_lead`, merchant or engineer
        #[arg(long)]
        role: String,
        /// Whose the user is, for the role merchant: `mer_...`
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// As others read it [default: the name]
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
    },
    /// List users
    List,
    /// Print a new link for a user to sign in by once; an earlier one works no more
    Link {
        /// The user
        name: String,
    },
    /// Keep a user out for good
    Disable {
        /// The user
        name: String,
    },
}

pub(crate) fn run(data_dir: &Path, asked: Asked) -> Result<ExitCode, Failure> {
    let caller = Caller::new(data_dir, asked.target, asked.key_file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(carry_out(&caller, asked.what))?;
    Ok(ExitCode::SUCCESS)
}

async fn carry_out(caller: &Caller, what: What) -> Result<(), Failure> {
    match what {
        What::Add { name, role, merchant, display_name } => {
            let mut body = json!({"name": name, "role": role});
            for (field, value) in [("merchant_id", merchant), ("display_name", display_name)] {
                if let Some(value) = value {
                    body[field] = value.into();
                }
            }
            let made = post(caller, "/v1/users", Some(&body)).await?;
            print(&format!("{}{}", caller.address, made["sign_in_url"].as_str().unwrap_or_default()));
        }
        What::List => list(caller).await?,
        What::Link { name } => {
            let made = post(caller, &format!("/v1/users/{}/link", id(caller, &name).await?), None).await?;
            print(&format!("{}{}", caller.address, made["sign_in_url"].as_str().unwrap_or_default()));
        }
        What::Disable { name } => {
            post(caller, &format!("/v1/users/{}/disable", id(caller, &name).await?), None).await?;
            print(&format!("{name} is disabled"));
        }
    }
    Ok(())
}

async fn list(caller: &Caller) -> Result<(), Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = json_of(&caller.send("GET", &format!("/v1/users?limit=100{after}"), None, None).await?)?;
        for user in page["data"].as_array().into_iter().flatten() {
            let text = |field: &str| user[field].as_str().unwrap_or("-").to_owned();
            let state = if user["disabled_at"].is_null() { "" } else { "  disabled" };
            let [name, role, merchant, display_name] = ["name", "role", "merchant_id", "display_name"].map(text);
            print(&format!("{name:<24} {role:<12} {merchant:<11}  {display_name}{state}"));
        }
        let Some(next) = page["next_cursor"].as_str() else { return Ok(()) };
        cursor = Some(next.to_owned());
    }
}

async fn id(caller: &Caller, name: &str) -> Result<String, Failure> {
    let found = sign_in::id_of(&caller.client, &caller.credentials, name).await?;
    found.ok_or_else(|| format!("there is no user {name}; `counterfoil users list` names them").into())
}

async fn post(caller: &Caller, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    json_of(&caller.send("POST", path, Some(&random_key()), body).await?)
}
