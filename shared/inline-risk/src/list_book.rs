//! Lists of risk as requests are matched against them: made from the ledger's rows, with what is encrypted there opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use coupon::decision::ListHit;
use coupon::id::{MerchantId, PLATFORM};
use coupon::list::{ItemKind, ItemRow, ItemValue, ListMode, ListRow};
use coupon::state::{Key, Row};
use risk::lists::{Item, ItemType, Lists, NEVER, Request};

/// Opens what is encrypted: whose it is, what stands for it, and the value.
pub type Open<'a> = &'a dyn Fn(MerchantId, [u8; 16], &ItemValue) -> Option<String>;

/// A list that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub hit: ListHit,
    /// As rules call it.
    pub name: String,
    /// What becomes of what it matches.
    pub mode: ListMode,
}

/// All lists.
#[derive(Default)]
pub struct ListBook {
    numbers: BTreeMap<(MerchantId, u64), u32>,
    lists: Vec<Known>,
    matcher: Lists,
    items: BTreeMap<(u32, [u8; 16]), (Item, Arc<ItemRow>)>,
}

struct Known {
    owner: MerchantId,
    number: u64,
    /// Nothing until its own row came.
    row: Option<Arc<ListRow>>,
}

impl ListBook {
    /// Takes note of a row that changed.
    pub fn changed(&mut self, key: &Key, row: &Row, open: Open<'_>) {
        match (key, row) {
            (Key::List(owner, number), Row::List(row)) => self.list(*owner, *number, row),
            (Key::ListItem(owner, list, item), Row::ListItem(row)) => self.item((*owner, *list, *item), row, open),
            _ => {}
        }
    }

    fn list(&mut self, owner: MerchantId, number: u64, row: &Arc<ListRow>) {
        let next = self.lists.len() as u32;
        let known = *self.numbers.entry((owner, number)).or_insert(next);
        if known == next {
            self.lists.push(Known { owner, number, row: None });
        }
        self.lists[known as usize].row = Some(row.clone());
    }

    fn item(&mut self, (owner, list, item): (MerchantId, u64, [u8; 16]), row: &Arc<ItemRow>, open: Open<'_>) {
        // A list's own row comes before its items' rows, or with an image in any order.
        let next = self.lists.len() as u32;
        let number = *self.numbers.entry((owner, list)).or_insert(next);
        if number == next {
            self.lists.push(Known { owner, number: list, row: None });
        }
        if let Some((old, _)) = self.items.remove(&(number, item)) {
            self.matcher.remove(number, &old);
        }
        if row.removed.is_some() {
            return;
        }
        let text = open(owner, item, &row.added.value);
        let parsed = text.and_then(|text| Item::parse(type_of(row.added.kind), &text).ok());
        let Some(parsed) = parsed else {
            tracing::error!(list, "an item of a list cannot be read here and is left out");
            return;
        };
        self.matcher.add(number, &parsed, row.added.expires_at.unwrap_or(NEVER));
        self.items.insert((number, item), (parsed, row.clone()));
    }

    /// Whether there is no list at all.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The lists of a merchant, and of the platform, that a request meets.
    pub fn matches(&self, merchant: MerchantId, request: &Request<'_>, now_ms: i64) -> Vec<Listed> {
        if self.is_empty() {
            return Vec::new();
        }
        let known = self.matcher.matches(request, now_ms).into_iter().filter_map(|n| self.lists.get(n as usize));
        let own = known.filter(|known| known.owner == PLATFORM || known.owner == merchant.real());
        own.filter_map(|known| {
            let row = known.row.as_ref()?;
            Some(Listed {
                hit: ListHit { owner: known.owner, number: known.number, version: row.version },
                name: row.profile.name.clone(),
                mode: row.profile.mode,
            })
        })
        .collect()
    }

    /// The items of a list after one, in the order of what stands for them.
    pub fn items(
        &self,
        owner: MerchantId,
        list: u64,
        after: Option<[u8; 16]>,
    ) -> impl Iterator<Item = (&Item, &ItemRow)> {
        let number = self.numbers.get(&(owner, list)).copied();
        let first = number.map_or(u32::MAX, |number| number);
        let all = self.items.range((first, after.unwrap_or_default())..);
        all.take_while(move |((of, _), _)| Some(*of) == number)
            .filter(move |((_, item), _)| after != Some(*item))
            .map(|(_, (item, row))| (item, row.as_ref()))
    }
}

/// As it is matched.
pub fn type_of(kind: ItemKind) -> ItemType {
    match kind {
        ItemKind::User => ItemType::User,
        ItemKind::Device => ItemType::Device,
        ItemKind::Ip => ItemType::Ip,
        ItemKind::Cidr => ItemType::Cidr,
        ItemKind::EmailDomain => ItemType::EmailDomain,
        ItemKind::Store => ItemType::Store,
        ItemKind::Cashier => ItemType::Cashier,
    }
}
