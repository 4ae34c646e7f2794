//! The registry of error codes: the one place where a code gets its number, its status and its page.
//!
//! Numbers stand in the log (two bytes per fence), so a number is never reused and never changes its meaning.
//! New codes take the next free number of their block.

use http::StatusCode;

/// What the registry knows about a code.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) cause: &'static str,
    pub(super) remedy: &'static str,
}

macro_rules! codes {
    ($($variant:ident = $number:literal, $name:literal, $status:ident, $title:literal, $cause:literal, $remedy:literal;)*) => {
        /// Every error code of the API. The number is what the log stores.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $title, ".")] $variant = $number,)*
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code with that number; `None` for a number that this release does not know.
            pub const fn from_u16(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            pub(super) const fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => &Row {
                        name: $name,
                        status: StatusCode::$status,
                        title: $title,
                        cause: $cause,
                        remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

codes! {
    MalformedJson = 100, "malformed_json", BAD_REQUEST, "The body is not JSON",
        "The body could not be read as one JSON object in UTF-8.", "Look at the line and column given and send the corrected body.";
    UnknownField = 101, "unknown_field", BAD_REQUEST, "Unknown field",
        "The request has a field that this call does not know, often a misspelling.", "Correct or leave out the field that `pointer` names.";
    InvalidField = 102, "invalid_field", BAD_REQUEST, "Invalid field",
        "A field has the wrong type or lies outside its bounds.", "Change the field that `pointer` names as `detail` says.";
    MissingField = 103, "missing_field", BAD_REQUEST, "Missing field",
        "A field that this call requires is absent.", "Add the field that `pointer` names.";
    IdempotencyKeyMissing = 104, "idempotency_key_missing", BAD_REQUEST, "Idempotency-Key is missing",
        "Calls that change coupons must carry the header `Idempotency-Key`, so that a retry cannot act twice.",
        "Make a key per intended change (1 to 128 of `A-Za-z0-9_.:-`), keep it, and send it with every attempt.";

    SignatureMissing = 120, "signature_missing", UNAUTHORIZED, "The request is not signed",
        "There is no usable `Authorization` header.", "Sign the request with COUNTERFOIL-HMAC-SHA256. Test keys may use `Bearer <key_id>:<secret>`.";
    SignatureInvalid = 121, "signature_invalid", UNAUTHORIZED, "The signature is wrong",
        "The signature does not fit the secret of the key, method, path with query, timestamp, nonce, idempotency key and body as they arrived.",
        "Send what you believe you sent to `POST /v1/signature-checks`: it says which part differs.";
    TimestampOutOfRange = 122, "timestamp_out_of_range", UNAUTHORIZED, "The timestamp is too far off",
        "The signed timestamp differs from the server's clock by more than 300 seconds.", "Set your clock by NTP, or sign with `server_time` of this answer.";
    NonceReused = 123, "nonce_reused", UNAUTHORIZED, "The nonce was used before",
        "A request with this nonce has been accepted already; it may be a replay.", "Make a new random nonce for every attempt, retries included.";
    KeyUnknown = 124, "key_unknown", UNAUTHORIZED, "Unknown key",
        "The key id does not exist, has been revoked or has expired after a rotation.", "Check the key id, and that it belongs to this environment.";
    SessionMissing = 125, "session_missing", UNAUTHORIZED, "Sign in first",
        "There is no session: the cookie `counterfoil_session` is not there.", "Sign in with `POST /v1/sessions`.";
    SessionExpired = 126, "session_expired", UNAUTHORIZED, "The session has ended",
        "Its time is over, the user signed out or was disabled, or the password is another.", "Sign in again.";
    SignInFailed = 127, "sign_in_failed", UNAUTHORIZED, "Name or password is wrong",
        "There is no such user, the password is not the user's, or the user is disabled.", "Check both. An engineer can make a one-time link with `counterfoil users link NAME`.";
    LinkExpired = 128, "link_expired", UNAUTHORIZED, "The link no longer works",
        "A sign-in link works once and for a day; this one was used, replaced by a newer one, or its time is over.", "Ask for a new one: `counterfoil users link NAME` makes it.";

    RoleForbidden = 140, "role_forbidden", FORBIDDEN, "The key's role may not do this",
        "The call is reserved for other roles; `roles` names them.", "Use a key of one of those roles.";
    StoreForbidden = 141, "store_forbidden", FORBIDDEN, "The key is bound to other stores",
        "An operator key bound to stores may act for those stores only.", "Use a key for this store, or correct `store_id`.";
    MerchantSuspended = 142, "merchant_suspended", FORBIDDEN, "The merchant is suspended",
        "A penalty bars the merchant from this; `penalty_id`, `sanction` and `ends_at` say which and until when.",
        "Read it with `GET /v1/risk/penalties/{id}`; an admin of the merchant may appeal with `POST /v1/risk/appeals`.";
    RiskBlocked = 143, "risk_blocked", FORBIDDEN, "Refused for risk",
        "The risk decision for this attempt was to block.", "Do not retry unchanged. `decision` has the reasons; the merchant can appeal.";
    ChallengeRequired = 144, "challenge_required", FORBIDDEN, "The shopper must pass a challenge",
        "The risk decision asks for proof that the shopper is genuine.", "Run one of `challenge.methods`, post the result, and repeat the request with the same idempotency key.";
    RiskReview = 145, "risk_review", FORBIDDEN, "Held for review",
        "A person has to look at this attempt first.", "Repeat with the same idempotency key after the case has been decided.";
    LivemodeRequired = 146, "livemode_required", FORBIDDEN, "Only for live keys",
        "The call is not available in test mode.", "Use a key that starts with `cfk_live_`.";
    TestModeOnly = 147, "test_mode_only", FORBIDDEN, "Only for test keys",
        "Bearer authorization and the header `Counterfoil-Test` are for test merchants only.", "Sign the request, leave out the header, or use a key that starts with `cfk_test_`.";
    SelfApproval = 148, "self_approval", FORBIDDEN, "Another person must approve",
        "Whoever proposed a change may not approve it.", "Ask another analyst lead.";
    CsrfTokenInvalid = 149, "csrf_token_invalid", FORBIDDEN, "The page's token is missing or stale",
        "A call that changes something by a session's cookie must carry the session's `csrf_token` in `X-CSRF-Token`.", "Take it from `GET /v1/sessions/current` and send the call again.";

    RouteNotFound = 160, "route_not_found", NOT_FOUND, "No such path",
        "There is no resource at this path.", "Compare the path with `/openapi.json`.";
    MerchantNotFound = 161, "merchant_not_found", NOT_FOUND, "No such merchant", "The merchant does not exist.", "Check the id.";
    KeyNotFound = 162, "key_not_found", NOT_FOUND, "No such key", "The key does not exist, or it is another merchant's.", "List the merchant's keys.";
    StoreNotFound = 163, "store_not_found", NOT_FOUND, "No such store", "The store does not exist, or it is another merchant's.", "List the stores.";
    StockNotFound = 164, "stock_not_found", NOT_FOUND, "No such stock", "The stock does not exist, or it is another merchant's.", "List the stocks.";
    BatchNotFound = 165, "batch_not_found", NOT_FOUND, "No such batch of codes", "The batch does not exist, or it is another merchant's.", "Check the id.";
    CouponNotFound = 166, "coupon_not_found", NOT_FOUND, "No such coupon",
        "The code or id is invalid, was never issued, or is another merchant's.", "Check the code; ask the shopper to show it again.";
    LoadTestNotFound = 186, "load_test_not_found", NOT_FOUND, "No such load test", "The load test does not exist, or it is another merchant's.", "List the load tests.";
    LockNotFound = 167, "lock_not_found", NOT_FOUND, "No such lock", "The lock does not exist, or it is another merchant's.", "Make a new lock.";
    RedemptionNotFound = 168, "redemption_not_found", NOT_FOUND, "No such redemption", "The redemption does not exist, or it is another merchant's.", "Find it with `GET /v1/redemptions?order_id=`.";
    ReversalNotFound = 169, "reversal_not_found", NOT_FOUND, "No such reversal", "The reversal does not exist, or it is another merchant's.", "Look at the redemption.";
    OperationNotFound = 170, "operation_not_found", NOT_FOUND, "No such operation", "The operation does not exist, or it is another merchant's.", "Check the id in the 202 answer.";
    DecisionNotFound = 171, "decision_not_found", NOT_FOUND, "No such decision", "The risk decision does not exist, or it is another merchant's.", "Check the id.";
    CaseNotFound = 172, "case_not_found", NOT_FOUND, "No such case", "The case does not exist.", "List the cases.";
    RequestNotFound = 173, "request_not_found", NOT_FOUND, "No such request", "No request with this idempotency key is known.", "Check the key.";
    RulesetNotFound = 174, "ruleset_not_found", NOT_FOUND, "No such rule set", "The rule set or its version does not exist.", "List the rule sets.";
    RuleNotFound = 175, "rule_not_found", NOT_FOUND, "No such rule", "The rule does not exist in any version.", "Check the id.";
    ListNotFound = 176, "list_not_found", NOT_FOUND, "No such list", "The list does not exist.", "List the lists.";
    ListItemNotFound = 177, "list_item_not_found", NOT_FOUND, "No such list item", "The list has no such item.", "Look it up with `GET /v1/risk/lists/lookup`.";
    PenaltyNotFound = 178, "penalty_not_found", NOT_FOUND, "No such penalty", "The penalty does not exist.", "List the penalties.";
    AppealNotFound = 179, "appeal_not_found", NOT_FOUND, "No such appeal", "The appeal does not exist, or it is another merchant's.", "List the appeals.";
    ModelNotFound = 180, "model_not_found", NOT_FOUND, "No such model", "The model does not exist.", "List the models.";
    BacktestNotFound = 181, "backtest_not_found", NOT_FOUND, "No such back-test", "The back-test does not exist.", "List the back-tests.";
    LabelNotFound = 182, "label_not_found", NOT_FOUND, "No such label", "The label does not exist.", "List the labels.";
    ChallengeNotFound = 183, "challenge_not_found", NOT_FOUND, "No such challenge", "The challenge does not exist, or it is another merchant's.", "Repeat the request to get a new one.";
    SubjectNotFound = 184, "subject_not_found", NOT_FOUND, "No such subject", "Nothing is known about this subject.", "Check kind and value.";
    UserNotFound = 187, "user_not_found", NOT_FOUND, "No such user", "The user does not exist.", "List the users.";
    SnoozeNotFound = 185, "snooze_not_found", NOT_FOUND, "No such snooze", "The snooze does not exist or has ended.", "Nothing needs to be done.";

    MethodNotAllowed = 190, "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "The path exists, but not with this method.", "Use one of the methods in the header `Allow`.";
    RequestTimeout = 191, "request_timeout", REQUEST_TIMEOUT, "The body came too slowly",
        "The body did not arrive in full within the time limit.", "Send it again with the same idempotency key, over a better line or in smaller parts.";
    HeaderTooLarge = 192, "header_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The header is too large",
        "Request line and header fields together exceed the limit.", "Send fewer or shorter header fields.";
    BodyTooLarge = 193, "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "The body exceeds the limit of this call; `limit_bytes` says it.", "Split the work into several requests.";
    UnsupportedMediaType = 194, "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported content type",
        "The body's `Content-Type` is not one that this call reads.", "Send one of the types that `detail` names.";

    AlreadyRedeemed = 200, "already_redeemed", CONFLICT, "Already redeemed",
        "The coupon has been used; `redeemed_by_order`, `redeemed_at` and `same_order` say by what.", "If `same_order` is true, it is yours: take `redemption_id` as the result. Otherwise refuse the coupon.";
    CouponLocked = 201, "coupon_locked", CONFLICT, "The coupon is locked",
        "Another order has reserved the coupon.", "Wait until the lock is released or expires, or redeem with that lock.";
    CouponExpired = 202, "coupon_expired", CONFLICT, "The coupon has expired", "Its validity has ended.", "Leave the coupon out.";
    CouponVoided = 203, "coupon_voided", CONFLICT, "The coupon is void", "The merchant or a penalty has voided it.", "Leave the coupon out.";
    LockLost = 204, "lock_lost", CONFLICT, "The lock is gone", "The lock has expired, was released, or its token is not the current one.", "Make a new lock and show the shopper its price.";
    StockSoldOut = 205, "stock_sold_out", CONFLICT, "Sold out", "No coupon of the stock is left.", "Raise the total, or offer another stock.";
    StockNotActive = 206, "stock_not_active", CONFLICT, "The stock is not active", "The stock is a draft, paused or closed.", "Activate or resume it.";
    ClaimNotOpen = 207, "claim_not_open", CONFLICT, "Claiming is not open", "Now lies outside `claim_from` and `claim_until`.", "Try within that time.";
    UserLimitReached = 208, "user_limit_reached", CONFLICT, "The user has reached the limit", "The stock's limit per user is used up.", "Offer another stock.";
    DayLimitReached = 209, "day_limit_reached", CONFLICT, "The day's limit is reached", "A limit per day is used up; it starts anew at the merchant's midnight.", "Try again tomorrow.";
    BudgetExhausted = 210, "budget_exhausted", CONFLICT, "The budget is used up", "The discount does not fit what is left of the stock's budget.", "Raise the budget, or leave the coupon out.";
    BelowUsed = 211, "below_used", CONFLICT, "Below what is used", "The new value is lower than what has been used already; `used` says how much.", "Choose a value of at least `used`.";
    AlreadyReversed = 212, "already_reversed", CONFLICT, "Already reversed", "These uses have been given back before.", "Look at the redemption's reversals.";
    ReversalTooLate = 213, "reversal_too_late", CONFLICT, "Too late to reverse", "The stock's reversal window has passed.", "Compensate the shopper another way.";
    VersionConflict = 214, "version_conflict", CONFLICT, "Changed in the meantime", "The value is no longer what the request took it for; `current` says what it is.", "Decide again on `current`.";
    RequestInFlight = 215, "request_in_flight", CONFLICT, "The first request is still under way", "A request with this idempotency key has not been decided within the time limit.", "Repeat later with the same key, or ask `GET /v1/requests/{key}`.";
    RequestCancelled = 216, "request_cancelled", CONFLICT, "The key was cancelled", "This idempotency key has been cancelled and can never act again.", "Use a new key if the change is still wanted.";
    StockNotDraft = 217, "stock_not_draft", CONFLICT, "The stock is no longer a draft", "Only display texts can be changed after activation.", "Make a new stock, or use the calls for total, budget and limits.";
    StockClosed = 218, "stock_closed", CONFLICT, "The stock is closed", "A closed stock cannot be changed or opened again.", "Make a new stock.";
    BatchVoided = 219, "batch_voided", CONFLICT, "The batch is void", "The batch of codes has been voided.", "Make a new batch.";
    CodeModeMismatch = 220, "code_mode_mismatch", CONFLICT, "Not with this kind of codes", "The stock's `code_mode` does not allow this call.", "Use a stock of the fitting `code_mode`.";
    TimeZoneFixed = 221, "time_zone_fixed", CONFLICT, "The time zone is fixed", "The merchant has stocks, whose days are counted in its time zone.", "Keep the time zone, or make a new merchant.";
    CaseClaimed = 222, "case_claimed", CONFLICT, "Someone else has the case", "Another analyst has claimed the case; `claimed_by` says who.", "Take the next case, or ask for it to be released.";
    CaseClosed = 223, "case_closed", CONFLICT, "The case is closed", "A closed case takes no more changes.", "Reopen it first.";
    RulesetNotPending = 224, "ruleset_not_pending", CONFLICT, "Nothing to approve", "The version of the rule set is not in a state that allows this.", "Look at its state.";
    PenaltyNotActive = 225, "penalty_not_active", CONFLICT, "The penalty is not in that state", "The penalty's state does not allow this.", "Look at its state.";
    AppealResolved = 226, "appeal_resolved", CONFLICT, "The appeal is resolved", "The appeal has been decided already.", "Look at its outcome.";
    KeyLimitReached = 227, "key_limit_reached", CONFLICT, "Too many keys", "The caller has as many live keys as it may have: two, while one is being replaced.", "Use the successor, or delete a key that is no longer used.";
    OperationRunning = 228, "operation_running", CONFLICT, "Still running", "The operation has no result yet.", "Ask again when its state is `done`.";
    CouponClaimed = 229, "coupon_claimed", CONFLICT, "The code is taken", "The printed code belongs to a user already.", "Check the code.";
    BacktestFinished = 230, "backtest_finished", CONFLICT, "The back-test has ended", "A back-test that has ended cannot be cancelled.", "Look at its result.";
    LoadTestRequired = 232, "load_test_required", CONFLICT, "A load test is required",
        "The stock expects so many redemptions a day that a load test must have passed before it is opened; `above` says from where on.",
        "Rehearse with `loadtest run --rehearse`, store the report with `POST /v1/load-tests`, and activate again.";
    StockIsRehearsal = 233, "stock_is_rehearsal", CONFLICT, "The stock is a rehearsal itself", "A rehearsal is a twin of a real stock, and has no twins.", "Name the real stock.";
    ChallengeExpired = 268, "challenge_expired", CONFLICT, "The challenge has expired", "The challenge could be answered until `expires_at`.", "Repeat the request to get a new one.";
    DecisionNotDerivable = 260, "decision_not_derivable", CONFLICT, "It does not say what it rested on", "The decision was made by a release that did not keep what it rested on.", "Decisions that were made since can be derived again.";
    CaseNotClaimed = 231, "case_not_claimed", CONFLICT, "Claim the case first", "Only whoever has claimed a case may work on it.", "Claim it.";
    AppealOpen = 245, "appeal_open", CONFLICT, "An appeal is open", "An appeal about the same has not been decided yet; `appeal_id` names it.", "Wait for its outcome.";

    CaseNotClosed = 240, "case_not_closed", CONFLICT, "The case is not closed", "Only a closed case can be reopened.", "Look at its state.";
    UserExists = 242, "user_exists", CONFLICT, "The name is taken", "Another user signs in with this name.", "Choose another name.";
    UserDisabled = 243, "user_disabled", CONFLICT, "The user is disabled", "A disabled user cannot sign in, and gets no link and no password.", "Make a new user.";
    NothingToUndo = 241, "nothing_to_undo", CONFLICT, "Nothing can be taken back",
        "The case's last step is not the caller's, is older than ten minutes, or voided coupons.", "Look at its steps; reopen it if it is closed.";

    IdempotencyKeyReused = 300, "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The key belongs to another request", "The idempotency key was used with another method, path or body.", "Use a new key for a new intention; repeat a retry unchanged.";
    NotYetValid = 301, "not_yet_valid", UNPROCESSABLE_ENTITY, "Not valid yet", "The coupon's validity has not begun.", "Leave the coupon out until `valid_from`.";
    OutsideAvailableTimes = 302, "outside_available_times", UNPROCESSABLE_ENTITY, "Not at this time", "The terms allow other weekdays or hours.", "Try within `available_times`.";
    OrderBelowMinimum = 303, "order_below_minimum", UNPROCESSABLE_ENTITY, "The order is too small", "The eligible lines do not reach `minimum_spend`.", "Add to the order, or leave the coupon out.";
    OrderAmountMismatch = 304, "order_amount_mismatch", UNPROCESSABLE_ENTITY, "The order does not add up", "Lines and shipping do not sum to the order's amount.", "Correct the amounts.";
    NothingEligible = 305, "nothing_eligible", UNPROCESSABLE_ENTITY, "Nothing to discount", "No line of the order is one that the coupon applies to.", "Leave the coupon out.";
    StoreNotEligible = 306, "store_not_eligible", UNPROCESSABLE_ENTITY, "Not in this store", "The stock is limited to other stores.", "Leave the coupon out.";
    CurrencyMismatch = 307, "currency_mismatch", UNPROCESSABLE_ENTITY, "Another currency", "Coupon and order are in different currencies.", "Leave the coupon out.";
    NotStackable = 308, "not_stackable", UNPROCESSABLE_ENTITY, "Cannot be combined", "The terms forbid this combination for one order.", "Leave out one of the coupons in `problems`.";
    UserMismatch = 309, "user_mismatch", UNPROCESSABLE_ENTITY, "Another user's coupon", "The coupon belongs to another user.", "Check `user_id`.";
    MinimumInterval = 310, "minimum_interval", UNPROCESSABLE_ENTITY, "Too soon after the last use", "The terms demand a pause between two uses.", "Try after the interval.";
    UsesExceeded = 311, "uses_exceeded", UNPROCESSABLE_ENTITY, "More uses than are left", "The request takes more uses than the coupon has; `uses_left` says how many.", "Ask for at most `uses_left`.";
    RuleInvalid = 312, "rule_invalid", UNPROCESSABLE_ENTITY, "The rules do not compile", "The text of the rule set has errors; `problems` lists them with line and column.", "Correct them and check again.";
    LockOrderMismatch = 313, "lock_order_mismatch", UNPROCESSABLE_ENTITY, "The lock is for another order", "A lock's quote holds only for the order that it was made for.", "Redeem for that order, or make a new lock.";
    ModelInvalid = 314, "model_invalid", UNPROCESSABLE_ENTITY, "The model cannot be used", "The artifact cannot be read or names unknown features.", "Train it again on the features of `GET /v1/risk/features`.";
    QueryInvalid = 315, "query_invalid", UNPROCESSABLE_ENTITY, "The query cannot be read", "The query over events has errors; `problems` lists them with their columns.", "Correct it as the hints say; `GET /v1/risk/events/fields` lists what can be asked for.";

    QuotaExceeded = 350, "quota_exceeded", TOO_MANY_REQUESTS, "Too many requests", "The merchant's quota for this class of calls is used up.", "Wait as `Retry-After` says, then repeat with the same idempotency key.";
    DeviceLimited = 351, "device_limited", TOO_MANY_REQUESTS, "Too many attempts from this device", "One shopper's device tries too often; the caller's quota is untouched.", "Tell the shopper to wait.";
    IpLimited = 352, "ip_limited", TOO_MANY_REQUESTS, "Too many attempts from this address", "One shopper's address tries too often; the caller's quota is untouched.", "Tell the shopper to wait.";
    WrongCodesLimited = 353, "wrong_codes_limited", TOO_MANY_REQUESTS, "Too many wrong codes", "Too many codes that do not exist were tried.", "Wait, and check where the codes come from.";

    SignInLimited = 354, "sign_in_limited", TOO_MANY_REQUESTS, "Too many failed sign-ins", "Signing in has failed too often with this name, or over all names.", "Wait as `Retry-After` says.";

    OutcomeUnknown = 370, "outcome_unknown", SERVICE_UNAVAILABLE, "The outcome is unknown", "The change was handed to the log, but no confirmation came in time: it may or may not happen.", "Repeat with the same idempotency key, or ask `GET /v1/requests/{key}`. Never retry under a new key.";
    LogUnavailable = 371, "log_unavailable", SERVICE_UNAVAILABLE, "The log is not available", "The log takes no writes now; nothing was changed.", "Repeat with the same idempotency key after `Retry-After`.";
    Overloaded = 372, "overloaded", SERVICE_UNAVAILABLE, "Overloaded", "The server has more work than it can finish in time; nothing was changed.", "Repeat with the same idempotency key after `Retry-After`, with growing pauses.";
    RiskUnavailable = 373, "risk_unavailable", SERVICE_UNAVAILABLE, "Risk cannot be judged", "The risk data is too old to decide, and the value is above what may pass without; nothing was changed.", "Repeat with the same idempotency key after `Retry-After`.";
    Internal = 390, "internal", INTERNAL_SERVER_ERROR, "Internal error", "Something failed that should not have.", "Repeat with the same idempotency key; if it stays, report the `request_id`.";
}
