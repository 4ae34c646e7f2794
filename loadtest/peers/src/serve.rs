//! Listening, and ending in good order.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::Common;
use crate::failure::Result;

/// How long requests under way may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until SIGTERM, Ctrl-C or the end of the standard input; says where once it does.
pub(crate) async fn serve(common: &Common, router: Router) -> Result<()> {
    // Before anybody is told that this process is there: from here on it ends in good order.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = bind(common)?;
    let address = listener.local_addr()?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{address}")?;
    stdout.flush()?;
    drop(stdout);
    let closed = common.end_with_stdin.then(stdin_closed);
    let (end, ended) = oneshot::channel::<()>();
    let listener = listener.tap_io(|stream| {
        // An answer is one write; waiting for more would only delay it. A socket that refuses is slow, not wrong.
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, router).with_graceful_shutdown(async { drop(ended.await) });
    let serving = tokio::spawn(serving.into_future());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = wait(closed) => {}
    }
    let _ = end.send(());
    if let Ok(served) = tokio::time::timeout(DRAIN, serving).await {
        served??;
    }
    Ok(())
}

/// A backlog that holds all connections of a load test at once.
fn bind(common: &Common) -> Result<TcpListener> {
    let address: SocketAddr = common.listen.parse().map_err(|error| format!("--listen {}: {error}", common.listen))?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket.listen(4096)?)
}

fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // What it says does not matter, nor why it ends.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = sender.send(());
    });
    receiver
}

async fn wait(closed: Option<oneshot::Receiver<()>>) {
    match closed {
        Some(closed) => drop(closed.await),
        None => std::future::pending().await,
    }
}
