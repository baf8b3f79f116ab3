use crate::pages::{PATHS, Pages};
use crate::webdriver::Browser;
use serde_json::{Value, json};

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn every_page_loads_without_a_complaint() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    for path in PATHS {
        browser.open(&pages.at(path)).await;
        // A file that is shown is not followed: its page says so, and has no button for it.
        let live = path != "/debug/config";
        let button = format!("(document.querySelector('button.live') !== null) === {live}");
        let loaded = format!("document.readyState === 'complete' && {button}");
        browser.until(&loaded, "document.body.innerText").await;
        assert_eq!(browser.value("document.querySelectorAll('h1').length").await, 1, "{path}");
        let style = browser.text("getComputedStyle(document.querySelector('.bar')).display").await;
        assert_eq!(style, "flex", "{path}: the style sheet is in use");
        let times = browser.value(
            "[...document.querySelectorAll('time')].every(t => /(ago|in) ?/.test(t.textContent))",
        );
        assert_eq!(times.await, Value::Bool(true), "{path}: the script is in use");
        if live {
            // It asks again, and gets what it can show.
            browser.value("ask(true)").await;
            let says = browser.text("document.querySelector('.live').textContent").await;
            assert_eq!(says, "Live", "{path}");
        }
        assert_eq!(browser.complaints().await, [""; 0], "{path}");
    }
    // The policy is there, and is more than a text.
    browser.value("document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = \"owned\"'}))").await;
    assert_ne!(browser.text("document.title").await, "owned");
    let complaints = browser.complaints().await.join("\n");
    assert!(complaints.contains("Content Security Policy"), "{complaints}");
}

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn what_a_pod_says_stays_text() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    let hostile = [
        "\"><script>document.title='owned'</script>",
        "<img src=x onerror=\"document.title='owned'\">",
        "</dl></div></details></main><iframe src=//evil.example>",
        "<style>body{display:none}</style>",
        "&lt;b&gt; ' ` javascript:alert(1)",
    ];
    pages.add_pod(
        "hostile",
        &json!({"a": hostile[0], "b": hostile[1], "c": hostile[2], "d": hostile[3], "e": hostile[4],
        }),
    );
    let search =
        form_urlencoded::Serializer::new(String::new()).append_pair("q", "onerror").finish();
    for path in ["/debug/targets?q=hostile".to_owned(), format!("/debug/targets?{search}")] {
        browser.open(&pages.at(&path)).await;
        browser
            .until("document.querySelector('.target') !== null", "document.body.innerText")
            .await;
        browser.value("ask(true)").await; // also on the script's own way into the page
        browser.value("document.querySelector('.target').open = true").await;
        let text = browser.text("document.querySelector('.labels').textContent").await;
        for value in hostile {
            assert!(text.contains(value), "{value} is shown as it is: {text}");
        }
        for wrong in ["main script", "main img", "iframe", "main style"] {
            let found = browser.value(&format!("document.querySelector('{wrong}')")).await;
            assert_eq!(found, Value::Null, "{path}: {wrong}");
        }
        assert!(browser.text("document.title").await.starts_with("Targets"), "{path}");
        assert_eq!(browser.complaints().await, [""; 0], "{path}");
    }
}

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn a_pod_is_explained() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    browser.open(&pages.at("/debug/explain")).await;
    let pod = browser.text("document.querySelector('#pods option').value").await;
    browser.value("document.body.focus()").await;
    browser.keys("/").await;
    browser.keys(&format!("{pod}\u{e007}")).await; // Enter
    browser
        .until("document.querySelector('.verdict h2') !== null", "document.body.innerText")
        .await;
    let verdict = browser.text("document.querySelector('.verdict h2').textContent").await;
    assert!(verdict.starts_with("target "), "{verdict}");
    assert!(browser.value("document.querySelectorAll('.steps .passed').length >= 3").await == true);
    let link = "document.querySelector('.verdict a').getAttribute('href')";
    assert!(browser.text(link).await.starts_with("/debug/targets?role="));
    assert_eq!(
        browser.value("document.querySelector('.live')").await,
        Value::Null,
        "not again and again"
    );

    browser.open(&pages.at("/debug/explain?pod=shop/none-such")).await;
    let verdict = browser.text("document.querySelector('.verdict h2').textContent").await;
    assert!(verdict.starts_with("no target "), "{verdict}");
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.open(&pages.at("/debug/explain?pod=%3Cimg+src=x+onerror=alert(1)%3E")).await;
    let refused = browser.text("document.querySelector('.refused').textContent").await;
    assert!(refused.contains("<img src=x onerror=alert(1)>"), "{refused}");
    assert_eq!(browser.value("document.querySelector('main img')").await, Value::Null);
}
