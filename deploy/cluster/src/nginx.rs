//! nginx in front of the services: the locations of `deploy/nginx`, with the ports of this cluster.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use kafka_broker::Life;
use kafka_broker::process::{Guard, Id, detached, guarded};

use crate::ClusterError;
use crate::member::Member;
use crate::plan::{Plan, Service};

pub(crate) fn start(plan: &Plan, members: &[Member], port: u16) -> Result<(Id, Option<Guard>), ClusterError> {
    let folder = plan.folder.join("nginx");
    fs::create_dir_all(&folder)?;
    let folder = std::path::absolute(folder)?;
    let settings = folder.join("nginx.conf");
    fs::write(&settings, configuration(&folder, members, port))?;
    let program = program()?;
    let log = plan.folder.join("nginx.log");
    let mut command = Command::new(&program);
    command.arg("-p").arg(&folder).arg("-c").arg(&settings).arg("-e").arg(folder.join("error.log"));
    let checked = Command::new(&program).args(["-t", "-q", "-p"]).arg(&folder).arg("-c").arg(&settings).output()?;
    if !checked.status.success() {
        fs::write(&log, checked.stderr)?;
        return Err(ClusterError::Start { name: "nginx".to_owned(), log });
    }
    Ok(match plan.life {
        Life::Detached => (detached(command, &log)?, None),
        Life::Guarded => {
            let (id, guard) = guarded(&command, &log)?;
            (id, Some(guard))
        }
    })
}

/// Debian puts it where only the administrator's path leads.
fn program() -> Result<String, ClusterError> {
    for program in ["nginx", "/usr/sbin/nginx"] {
        if Command::new(program).arg("-v").output().is_ok_and(|output| output.status.success()) {
            return Ok(program.to_owned());
        }
    }
    Err(ClusterError::Missing(
        "nginx is needed in front of the services; on Debian: apt-get install nginx-light".into(),
    ))
}

fn configuration(folder: &Path, members: &[Member], port: u16) -> String {
    let mut upstreams = String::new();
    for service in [Service::Issuer, Service::Redeemer, Service::RiskScorer] {
        let _ = writeln!(upstreams, "    upstream counterfoil_{} {{", service.to_string().replace('-', "_"));
        for member in members.iter().filter(|member| member.service == service) {
            let _ = writeln!(upstreams, "        server 127.0.0.1:{} max_fails=3 fail_timeout=1s;", member.port());
        }
        upstreams.push_str("        keepalive 512;\n        keepalive_timeout 5s;\n    }\n");
    }
    let folder = folder.display();
    let locations = format!("{}/../nginx/api.conf", env!("CARGO_MANIFEST_DIR"));
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log warn;\n\
         worker_rlimit_nofile 16384;\nevents {{ worker_connections 8192; }}\nhttp {{\n\
         \x20   client_body_temp_path {folder}/client_body;\n    proxy_temp_path {folder}/proxy;\n\
         \x20   fastcgi_temp_path {folder}/fastcgi;\n    uwsgi_temp_path {folder}/uwsgi;\n    scgi_temp_path {folder}/scgi;\n\
         {upstreams}    server {{\n        listen 127.0.0.1:{port} backlog=4096;\n        keepalive_requests 1000000;\n\
         \x20       include {locations};\n    }}\n}}\n"
    )
}
