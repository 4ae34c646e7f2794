//! Who hangs together with somebody.

use axum::extract::State;
use coupon::id::MerchantId;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use risk::graph::{Kind as NodeKind, Neighbourhood, NodeKey, SeenEdge, SeenNode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::subjects::{Kind, Named};
use super::{RiskApi, whose};

/// Nodes that are shown at most.
const MOST_NODES: usize = 200;
/// How far is looked, unless the caller says so.
const DEPTH: u32 = 2;
const DEEPEST: u32 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    depth: Option<u32>,
    merchant_id: Option<String>,
}

/// Users, devices and addresses that hang together with one
///
/// Up to `depth` steps away, 2 unless given, at most 200 of them. Ids are what stands for them at the merchant. Edges that
/// do not join are of what very many share; nobody behind those is shown.
#[utoipa::path(get, path = "/v1/risk/subjects/{kind}/{value}/cluster", tag = "Risk",
    params(("kind" = String, Path), ("value" = String, Path), ("depth" = Option<u32>, Query),
        ("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn cluster(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let Query { depth, merchant_id } = call.query_as()?;
    let depth = depth.unwrap_or(DEPTH);
    if !(1..=DEEPEST).contains(&depth) {
        let detail = format!("/query/depth must be 1 to {DEEPEST}.");
        return Err(Problem::new(Code::InvalidField, detail).pointer("/query/depth"));
    }
    let merchant = whose(&call, merchant_id.as_deref())?;
    let named = Named::new(&state, path.text_at(0), path.text_at(1), "/path/value")?;
    let node = node(&named, merchant).ok_or_else(|| {
        let detail = "Clusters are of users, devices and addresses.";
        Problem::new(Code::InvalidField, detail).pointer("/path/kind")
    })?;
    // Counting waits meanwhile; decisions do not.
    let seen = state.scorer.inline.graph().read().cluster(&node, depth, MOST_NODES);
    Answer::ok(&view(&seen))
}

fn node(named: &Named, merchant: MerchantId) -> Option<NodeKey> {
    let kind = match named.kind {
        Kind::User => NodeKind::User,
        Kind::Device => NodeKind::Device,
        Kind::Ip => NodeKind::Address,
        Kind::Store | Kind::Cashier => return None,
    };
    Some(NodeKey { kind, merchant: merchant.0, id: named.pseudonym(merchant)? })
}

fn view(seen: &Neighbourhood) -> Value {
    let id = |place: usize| seen.nodes.get(place).map(|node| hex::encode(node.key.id));
    let edge =
        |edge: &SeenEdge| json!({"from": id(edge.from), "to": id(edge.to), "weight": edge.weight, "joins": edge.joins});
    json!({
        "nodes": seen.nodes.iter().map(node_view).collect::<Vec<_>>(),
        "edges": seen.edges.iter().map(edge).collect::<Vec<_>>(),
        "density": seen.density,
        "truncated": seen.is_cut_short,
    })
}

fn node_view(node: &SeenNode) -> Value {
    let kind = match node.key.kind {
        NodeKind::User => Kind::User,
        NodeKind::Device => Kind::Device,
        NodeKind::Address => Kind::Ip,
    };
    let at = |seconds: u32| format_ms(i64::from(seconds) * 1_000);
    json!({
        "kind": kind.name(), "id": hex::encode(node.key.id), "distance": node.distance, "degree": node.degree,
        "first_seen": at(node.first_seen_seconds), "last_seen": at(node.last_seen_seconds),
    })
}
