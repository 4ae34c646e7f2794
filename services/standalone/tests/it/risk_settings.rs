//! Risk settings over HTTP.

use crate::risk::{analyst, lead};
use crate::support::{Caller, Server, code, merchant, runtime};
use serde_json::{Value, json};

#[test]
fn settings_are_a_merchants_own_and_outlive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let (path, set) = runtime.block_on(async {
        let (shop, admin) = merchant(&server.address, folder.path()).await;
        let (other, _) = merchant(&server.address, folder.path()).await;
        let (an, bo) = (analyst(&server, folder.path()).await, lead(&server, folder.path()).await);
        let of = |shop: &Value| format!("/v1/risk/settings?merchant_id={}", shop["id"].as_str().expect("an id"));
        let path = of(&shop);
        let given = an.get(&path).await;
        assert_eq!((&given["abnormal_share_bp"], &given["minimum_volume"]), (&json!(500), &json!(1_000)));
        assert_eq!((&given["degraded_value_limit"], &given["review_holds"]), (&json!(10_000), &json!(false)));
        let put = async |caller: &Caller, path: &str, body: Value| {
            caller.send("PUT", path, Some(&Caller::key()), Some(&body)).await
        };
        let wanted = json!({"review_holds": true, "device_per_second": 5, "version": 0});
        assert_eq!(code(&put(&an, &path, wanted.clone()).await), "role_forbidden");
        assert_eq!(code(&put(&admin, &path, wanted.clone()).await), "role_forbidden");
        let set = put(&bo, &path, wanted.clone()).await.json().expect("JSON");
        assert_eq!((&set["review_holds"], &set["device_per_second"]), (&json!(true), &json!(5)));
        let late = put(&bo, &path, wanted).await;
        assert_eq!((code(&late), &late.json().expect("JSON")["current"]), ("version_conflict".into(), &set["version"]));
        assert_eq!(an.get(&of(&other)).await["review_holds"], false);
        assert_eq!(code(&put(&bo, &path, json!({"device_burst": 0})).await), "invalid_field");
        assert_eq!(code(&put(&bo, "/v1/risk/settings", json!({})).await), "missing_field");
        let nowhere = "/v1/risk/settings?merchant_id=mer_zzzzzzz";
        assert_eq!(code(&put(&bo, nowhere, json!({})).await), "merchant_not_found");
        (path, set)
    });
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    runtime.block_on(async {
        assert_eq!(analyst(&server, folder.path()).await.get(&path).await, set);
    });
}
