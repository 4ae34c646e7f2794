//! From a request body to a use of coupons.

use coupon::command::{CouponRef, UseCommand};
use coupon::decision::Asked;
use coupon::event::Actor;
use coupon::id::{LockId, MerchantId, StoreId};
use coupon_api::backend::{Asking, Shopper};
use coupon_api::dto::context::note;
use coupon_api::dto::order::{CouponUse, LockRef, UseRequest, check_actor, check_coupons, store};
use http_api::Code;
use http_api::call::Call;
use http_api::problem::Problem;
use inline_risk::Occasion;

use crate::state::Redeemer;

/// A checked body, before anybody was asked.
pub(super) struct Checked {
    pub(super) request: UseRequest,
    store: Option<StoreId>,
    lock: Option<(u64, [u8; 16])>,
}

/// Where the coupons are, as the first of them says: at the merchant, or at its rehearsals.
pub(super) fn place(state: &Redeemer, merchant: MerchantId, request: &UseRequest) -> MerchantId {
    if let Some(coupon) = request.coupons.first() {
        return state.backend.place(merchant, coupon.code.as_deref(), coupon.coupon_id.as_deref());
    }
    let lock = request.lock.as_ref().and_then(|lock| lock.id.parse::<LockId>().ok());
    lock.map_or(merchant, |lock| if lock.merchant == merchant.rehearsals() { lock.merchant } else { merchant })
}

pub(super) fn check(call: &Call, merchant: MerchantId, request: UseRequest) -> Result<Checked, Problem> {
    check_coupons(&request.coupons, request.lock.is_some())?;
    request.order.check()?;
    check_actor(
        request.user_id.as_deref(),
        request.store_id.as_deref(),
        request.cashier_id.as_deref(),
        request.terminal_id.as_deref(),
    )?;
    request.context.check()?;
    let store = call.store(store(request.store_id.as_deref())?)?;
    if store.is_some_and(|store| store.merchant != merchant.real()) {
        return Err(Problem::of(Code::StoreNotFound).pointer("/store_id"));
    }
    let lock = request.lock.as_ref().map(|lock| lock_ref(merchant, lock)).transpose()?;
    Ok(Checked { request, store, lock })
}

fn lock_ref(merchant: MerchantId, lock: &LockRef) -> Result<(u64, [u8; 16]), Problem> {
    let id = lock.id.parse::<LockId>().ok().filter(|id| id.merchant == merchant);
    let id = id.ok_or_else(|| Problem::of(Code::LockNotFound).pointer("/lock/id"))?;
    Ok((id.number, token(&lock.token, "/lock/token")?))
}

/// A lock's token: 32 hexadecimal digits.
pub(super) fn token(text: &str, pointer: &str) -> Result<[u8; 16], Problem> {
    let mut token = [0; 16];
    hex::decode_to_slice(text, &mut token).map_err(|_| {
        Problem::new(Code::InvalidField, format!("{pointer} must be the token that the lock's answer gave."))
            .pointer(pointer)
    })?;
    Ok(token)
}

/// Refuses what names a coupon that cannot be one.
pub(super) fn refuse_unknown(state: &Redeemer, merchant: MerchantId, command: &UseCommand) -> Result<(), Problem> {
    let names = command.coupons.iter().map(|(coupon, _)| *coupon);
    state.backend.refuse_unknown(merchant, names, &command.decision)
}

impl Checked {
    /// Asks the limiter and the risk view, and names the coupons.
    pub(super) fn command(
        self,
        state: &Redeemer,
        call: &Call,
        merchant: MerchantId,
        asked: Asked,
    ) -> Result<UseCommand, Problem> {
        let Self { request, store, lock } = self;
        if store.is_some_and(|store| !state.backend.directory.has_store(store)) {
            return Err(Problem::of(Code::StoreNotFound).pointer("/store_id"));
        }
        let order = request.order.into_order()?;
        let coupons = refs(state, merchant, &request.coupons);
        let note = note(request.reference, request.metadata)?;
        let occasion = Occasion {
            store: store.map(|store| store.number),
            cashier: request.cashier_id.as_deref().map(Occasion::cashier),
            amount: Some(order.amount),
            coupon: coupons.first().and_then(|(coupon, _)| number_of(*coupon)),
            ..Occasion::of(asked)
        };
        let asking = Asking {
            user_id: request.user_id.as_deref(),
            context: &request.context,
            occasion,
            store_id: request.store_id.as_deref(),
            cashier_id: request.cashier_id.as_deref(),
        };
        let Shopper { user, decision, sealed } = state.backend.shopper(call, merchant, asking)?;
        let actor = Actor {
            user,
            store: store.map(|store| store.number),
            cashier: request.cashier_id,
            terminal: request.terminal_id,
        };
        Ok(UseCommand { coupons, order, actor, lock, decision, sealed, note })
    }
}

/// Of a merchant's own code the number is not known here.
fn number_of(coupon: CouponRef) -> Option<u64> {
    match coupon {
        CouponRef::Number(number) => Some(number),
        _ => None,
    }
}

fn refs(state: &Redeemer, merchant: MerchantId, coupons: &[CouponUse]) -> Vec<(CouponRef, u32)> {
    let name = |coupon: &CouponUse| {
        let named = state.backend.coupon_ref(merchant, coupon.code.as_deref(), coupon.coupon_id.as_deref());
        (named, coupon.uses)
    };
    coupons.iter().map(name).collect()
}
