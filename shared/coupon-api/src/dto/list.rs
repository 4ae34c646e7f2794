//! Lists of risk.

use coupon::fold::At;
use coupon::id::{LedgerRef, ListId, MerchantId, PLATFORM};
use coupon::list::{ItemAdded, ItemKind, ItemValue, ListRow, ListStep, ListStepped};
use http_api::time::format_ms;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::secrets::{Personal, Secrets};

/// A list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListView {
    /// `lst_...`
    pub id: String,
    /// As analysts and rules call it.
    pub name: String,
    /// `allow`, `block` or `watch`.
    pub mode: &'static str,
    /// What it holds.
    pub item_type: &'static str,
    /// Whose it is; null where it holds for all merchants.
    pub merchant_id: Option<String>,
    /// Items that are on it, those that are over too.
    pub items: u64,
    /// By which key it was made.
    pub owner: String,
    /// When.
    pub created_at: String,
}

/// A list as it is.
pub fn list_view(owner: MerchantId, number: u64, row: &ListRow) -> ListView {
    ListView {
        id: ListId::new(owner, number).to_string(),
        name: row.profile.name.clone(),
        mode: row.profile.mode.name(),
        item_type: row.profile.item_type.name(),
        merchant_id: (owner != PLATFORM).then(|| owner.to_string()),
        items: row.items,
        owner: row.by.clone(),
        created_at: format_ms(row.created_at),
    }
}

/// The text of an item, where it can be read.
pub fn item_text(secrets: &Secrets, owner: MerchantId, item: [u8; 16], value: &ItemValue) -> Option<String> {
    match value {
        ItemValue::Clear(text) => Some(text.clone()),
        ItemValue::Sealed(sealed) => secrets.open(owner, item, sealed).user_id,
    }
}

/// An item as it is kept: who stands behind a person is encrypted.
pub fn item_value(secrets: &Secrets, owner: MerchantId, item: [u8; 16], kind: ItemKind, text: String) -> ItemValue {
    if !kind.is_person() {
        return ItemValue::Clear(text);
    }
    let personal = Personal { user_id: Some(text), ..Personal::default() };
    ItemValue::Sealed(secrets.seal(owner, item, &personal))
}

/// What a step came to.
pub fn list_stepped(secrets: &Secrets, owner: MerchantId, stepped: &ListStepped, at: At) -> Value {
    let id = |number| ListId::new(owner, number).to_string();
    match &stepped.step {
        ListStep::Make(profile) => json!({
            "id": id(at.sequence), "name": profile.name, "mode": profile.mode.name(), "item_type": profile.item_type.name(),
            "merchant_id": (owner != PLATFORM).then(|| owner.to_string()), "items": 0, "owner": stepped.by,
            "created_at": format_ms(at.time), "ledger_ref": LedgerRef(at.sequence).to_string(),
        }),
        ListStep::Add(items) => {
            let view = |item: &ItemAdded| item_view(secrets, owner, item, &stepped.by, at.time);
            let mut views: Vec<Value> = items.iter().map(view).collect();
            // One item is the usual case, and is answered as itself.
            let mut answer = if views.len() == 1 { views.remove(0) } else { json!({"items": views}) };
            answer["list_id"] = id(stepped.list).into();
            answer["ledger_ref"] = LedgerRef(at.sequence).to_string().into();
            answer
        }
        ListStep::Remove(item, reason) => json!({
            "list_id": id(stepped.list), "id": hex::encode(item), "removed": true, "reason": reason,
            "ledger_ref": LedgerRef(at.sequence).to_string(),
        }),
    }
}

/// An item with who added it, and when.
pub fn item_view(secrets: &Secrets, owner: MerchantId, item: &ItemAdded, by: &str, added_at: i64) -> Value {
    json!({
        "id": hex::encode(item.item), "value": item_text(secrets, owner, item.item, &item.value),
        "reason": item.reason, "expires_at": item.expires_at.map(format_ms), "added_by": by,
        "added_at": format_ms(added_at),
    })
}
