//! What every call needs of the ledger, kept beside it so that nobody has to ask the owner: keys, users and merchants
//! from the platform's shard, stores and a few marks of the merchants'.

use std::sync::Arc;

use coupon::code::parse_generated;
use coupon::id::{MerchantId, StoreId};
use coupon::penalty::Standing;
use coupon::state::{Key as RowKey, KeyRow, Merchant, Row};
use coupon::user::UserRow;
use dashmap::DashMap;
use http_api::auth::{Key, KeyDirectory, Role, Suspension, User};
use http_api::quota::Quotas;
use http_api::signature::Secret;

use crate::dto::penalty::suspension;
use crate::dto::user::user_id;
use crate::people::People;
use crate::secrets::Secrets;

/// All keys, merchants and stores.
pub struct Directory {
    secrets: Arc<Secrets>,
    /// By their ids.
    keys: DashMap<Arc<str>, Arc<Key>>,
    /// By the hashes of their ids.
    rows: DashMap<[u8; 16], Arc<KeyRow>>,
    /// The hashes of each merchant's keys.
    keys_of: DashMap<MerchantId, Vec<[u8; 16]>>,
    merchants: DashMap<MerchantId, Arc<Merchant>>,
    /// What switches merchants' keys off, from the merchants' own shards.
    suspended: DashMap<MerchantId, Suspension>,
    /// Merchants with own codes that have the form of generated ones.
    look_alikes: DashMap<MerchantId, ()>,
    /// Where there is, or was, something to rehearse on.
    rehearsals: DashMap<MerchantId, ()>,
    /// With their names.
    stores: DashMap<StoreId, Arc<str>>,
    people: People,
}

impl Directory {
    /// Knows nobody yet.
    pub fn new(secrets: Arc<Secrets>) -> Self {
        Self {
            secrets,
            keys: DashMap::new(),
            rows: DashMap::new(),
            keys_of: DashMap::new(),
            merchants: DashMap::new(),
            suspended: DashMap::new(),
            look_alikes: DashMap::new(),
            rehearsals: DashMap::new(),
            stores: DashMap::new(),
            people: People::default(),
        }
    }

    /// Takes note of a row that is watched.
    pub fn changed(&self, key: &RowKey, row: &Row) {
        match (key, row) {
            (RowKey::Merchant(owner, of), Row::Merchant(merchant)) if *owner == coupon::id::PLATFORM => {
                self.merchants.insert(*of, merchant.clone());
                self.put_keys(*of);
            }
            (RowKey::Merchant(owner, _), Row::Merchant(merchant)) => {
                let off = merchant.standing.as_deref().and_then(Standing::api_off);
                let known = self.suspended.remove(owner).is_some();
                if let Some(by) = &off {
                    self.suspended.insert(*owner, suspension(*owner, by));
                }
                if known || off.is_some() {
                    self.put_keys(*owner);
                }
            }
            (RowKey::ApiKey(_, hash), Row::ApiKey(row)) => {
                if let (None, Some(merchant)) = (self.rows.insert(*hash, row.clone()), row.key.merchant) {
                    self.keys_of.entry(merchant).or_default().push(*hash);
                }
                self.put(row);
            }
            (RowKey::User(_, number), Row::User(row)) => {
                let caller = self.person(*number, row);
                self.people.put(*number, row, caller);
            }
            (RowKey::CodeText(merchant, _), Row::CodeText(text)) if parse_generated(text).is_some() => {
                self.look_alikes.insert(*merchant, ());
            }
            (RowKey::Rehearsal(merchant, _), Row::Rehearsal(_)) => {
                self.rehearsals.insert(*merchant, ());
            }
            (RowKey::Store(merchant, number), Row::Store(store)) => {
                self.stores.insert(StoreId::new(*merchant, *number), store.name.as_str().into());
            }
            _ => {}
        }
    }

    /// Whether some own code of the merchant has the form of a generated one; otherwise a text of that form whose MAC
    /// is wrong can be no code, and costs no look-up.
    pub fn may_look_like_generated(&self, merchant: MerchantId) -> bool {
        self.look_alikes.contains_key(&merchant)
    }

    /// Whether there is such a store.
    pub fn has_store(&self, store: StoreId) -> bool {
        self.stores.contains_key(&store)
    }

    /// A store's name.
    pub fn store_name(&self, store: StoreId) -> Option<Arc<str>> {
        self.stores.get(&store).map(|name| Arc::clone(&name))
    }

    /// Whether some coupon may be at the merchant's rehearsals.
    pub fn rehearses(&self, merchant: MerchantId) -> bool {
        self.rehearsals.contains_key(&merchant.rehearsals())
    }

    /// A merchant as the platform knows it; its rehearsals are of its mode.
    pub fn merchant(&self, id: MerchantId) -> Option<Arc<Merchant>> {
        self.merchants.get(&id.real()).map(|row| row.clone())
    }

    /// All merchants.
    pub fn merchants(&self) -> Vec<(MerchantId, Arc<Merchant>)> {
        self.merchants.iter().map(|entry| (*entry.key(), entry.value().clone())).collect()
    }

    /// The id of a live platform key, if there is one.
    pub fn platform_key(&self) -> Option<String> {
        let live = |row: &KeyRow| row.key.role == Role::Platform.as_str() && row.ends_at.is_none();
        self.rows.iter().find(|row| live(row)).map(|row| row.key.key_id.clone())
    }

    fn put_keys(&self, of: MerchantId) {
        let keys = self.keys_of.get(&of).map(|keys| keys.clone()).unwrap_or_default();
        let rows = keys.iter().filter_map(|hash| self.rows.get(hash).map(|row| row.clone()));
        rows.for_each(|row| self.put(&row));
        for (number, row) in self.people.of(of) {
            let caller = self.person(number, &row);
            self.people.put(number, &row, caller);
        }
    }

    /// People who sign in.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// A user as a caller. A merchant's user may do what an admin of it may, and an engineer what the platform may.
    fn person(&self, number: u64, row: &UserRow) -> Option<Arc<Key>> {
        let role = match row.profile.role.as_str() {
            "analyst" => Role::Analyst,
            "analyst_lead" => Role::AnalystLead,
            "merchant" => Role::Admin,
            "engineer" => Role::Platform,
            _ => return None,
        };
        let merchant = row.profile.merchant;
        let known = merchant.and_then(|merchant| self.merchant(merchant));
        let key = Key {
            key_id: user_id(number).into(),
            merchant,
            role,
            store_ids: None,
            livemode: known.as_ref().is_none_or(|known| known.profile.livemode),
            // Nobody signs with it: people are not found among keys.
            secret: Secret::new(&hex::encode(rand::random::<[u8; 32]>())),
            suspended: merchant.and_then(|it| self.suspended.get(&it).map(|it| it.clone())),
            expires_at_ms: None,
            quotas: Arc::new(quotas(known.as_deref())),
        };
        Some(Arc::new(key))
    }

    fn put(&self, row: &KeyRow) {
        let merchant = row.key.merchant;
        let known = merchant.and_then(|merchant| self.merchant(merchant));
        let Ok(role) = serde_json::from_value::<Role>(row.key.role.as_str().into()) else { return };
        let store_ids = row.key.stores.as_ref().zip(merchant).map(|(stores, merchant)| {
            stores.iter().map(|number| StoreId::new(merchant, *number)).collect::<Vec<_>>().into()
        });
        // An analyst who looks at one merchant only is not the merchant.
        let theirs = !role.covers(Role::Analyst);
        let key_id: Arc<str> = row.key.key_id.as_str().into();
        let key = Key {
            key_id: key_id.clone(),
            merchant,
            role,
            store_ids,
            livemode: row.key.livemode,
            secret: Secret::new(&self.secrets.api_secret(&row.key.key_id)),
            suspended: merchant.filter(|_| theirs).and_then(|it| self.suspended.get(&it).map(|it| it.clone())),
            expires_at_ms: row.ends_at,
            quotas: Arc::new(quotas(known.as_deref())),
        };
        self.keys.insert(key_id, Arc::new(key));
    }
}

impl KeyDirectory for Directory {
    fn find(&self, key_id: &str) -> Option<Arc<Key>> {
        self.keys.get(key_id).map(|key| key.clone())
    }

    fn user(&self, user_id: &str) -> Option<Arc<User>> {
        self.people.user(user_id)
    }
}

fn quotas(of: Option<&Merchant>) -> Quotas {
    of.map_or_else(Quotas::default, |known| Quotas {
        create_per_second: known.quotas.create_per_second,
        redeem_per_second: known.quotas.redeem_per_second,
        import_per_minute: known.quotas.import_per_minute,
    })
}
