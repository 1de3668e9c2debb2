//! People who look around.

use fieldgate_model::Value;

use super::*;

fn reference(service: &str, characteristic: &str) -> CharacteristicRef {
    CharacteristicRef {
        address: who(1).to_string(),
        service: service.to_owned(),
        characteristic: characteristic.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn people_look_around_and_the_connection_is_closed_after_a_minute() {
    let twin = one(device());
    beside(&twin, Vec::new(), 5, async |gatt, mut seen| {
        let tree = gatt.services(who(1)).await.unwrap();
        assert_eq!(tree.services[0].name.as_deref(), Some("Battery"));
        let temperature = &tree.services[1].characteristics[0];
        assert_eq!(temperature.name.as_deref(), Some("Temperature"));
        assert_eq!(temperature.properties, ["read", "notify"]);
        let rule: CharacteristicRule =
            serde_json::from_value(temperature.settings.clone()).unwrap();
        assert_eq!(Rule::new(&rule).unwrap().of, id(0x181A, 0x2A6E));

        let value = gatt.read(&reference("180f", "2a19")).await.unwrap();
        assert_eq!(
            (value.hex.as_str(), value.fields[0].value.clone()),
            ("57", Value::Int(87))
        );
        gatt.notify(&reference("181a", "2a6e"), true).await.unwrap();
        assert_eq!(seen.next().await, (who(1), vec!["looked 7e08".to_owned()]));
        gatt.notify(&reference("181a", "2a6e"), false)
            .await
            .unwrap();
        assert_eq!(gatt.status().len(), 1);

        let no = gatt.read(&reference("180f", "nonsense")).await.unwrap_err();
        assert!(matches!(no, ExploreError::Refused(_)), "{no}");

        assert_eq!(twin.world().open, 1);
        tokio::time::sleep(Duration::from_secs(65)).await;
        assert_eq!(twin.world().open, 0);
        until(|| gatt.status().is_empty()).await;

        gatt.services(who(1)).await.unwrap();
        assert_eq!(twin.world().open, 1);
        gatt.disconnect(who(1)).await.unwrap();
        until(|| twin.world().open == 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn people_pair_and_unpair() {
    let twin = one(Device {
        wants_pairing: true,
        ..device()
    });
    beside(&twin, Vec::new(), 5, async |gatt, _seen| {
        let no = gatt.read(&reference("180f", "2a19")).await.unwrap_err();
        assert!(matches!(no, ExploreError::Refused(_)), "{no}");
        let words = gatt.pair(who(1)).await.unwrap();
        assert_eq!(words, "C0:00:00:00:00:01 is paired");
        assert!(gatt.read(&reference("180f", "2a19")).await.is_ok());
        gatt.unpair(who(1)).await.unwrap();
        assert!(!twin.world().devices[&who(1)].bonded);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_looks_at_a_device_that_is_away_is_told_so() {
    let twin = one(Device {
        reachable: false,
        ..device()
    });
    beside(&twin, Vec::new(), 5, async |gatt, _seen| {
        let why = gatt.services(who(1)).await.unwrap_err().to_string();
        assert!(why.contains("does not answer"), "{why}");
        let why = gatt.services(who(9)).await.unwrap_err().to_string();
        assert!(why.contains("not heard"), "{why}");
    })
    .await;
}
