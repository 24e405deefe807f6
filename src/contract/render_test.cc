#include "contract/render.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/utf8.h"
#include "canon/vectors_for_test.h"
#include "contract/event.h"
#include "contract/extension.h"
#include "contract/test_keys.h"

namespace writ::contract {
namespace {

using canon::Json;

/// Longest line in code points, and the number of lines.
std::pair<std::size_t, std::size_t> SizeOf(std::string_view text) {
  std::size_t widest = 0, lines = 0;
  for (std::size_t start = 0; start < text.size(); ++lines) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    widest = std::max(widest, Utf16Length(text.substr(start, end - start)));
    start = end + 1;
  }
  return {widest, lines};
}

TEST(Render, TheValidBundleOnOneScreen) {
  const Json bundle = test::VectorFile("bundle-valid.json");
  const std::string screen = RenderStory(bundle, VerifyBundle(bundle, {{Pin::OfKey(test::PlaneKey().public_key())}, {}}));
  EXPECT_EQ(screen,
            "VERIFIED: run_00000000-0000-4000-8000-000000000001, completed\n"
            "who       human alice@example.com asked\n"
            "          keys: plane ed25519:908c39ffa076fcbf, runner ed25519:d584bb7737d4bbcb\n"
            "asked     shell: echo hi\n"
            "          pool default, tier process, policy aa47681f992c\n"
            "saw       workspace: commit 4b825dc642cb, 1 more files, 1 paths kept out\n"
            "          secrets: API_TOKEN (pool:default)\n"
            "          network: api.example.com allowed, evil.example blocked\n"
            "happened  completed\n"
            "          2026-06-11T00:00:00.126Z, 0.091 s by the wall clock\n"
            "          14 events, head 4690f01806ef\n"
            "changed   1 file: out.txt\n"
            "          diff dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\n");
}

TEST(Render, NetworkGrantedReachedAndRefused) {
  Json bundle = test::VectorFile("bundle-valid.json");
  Json contract = *bundle.Find("contract"), receipt = *bundle.Find("receipt");
  contract.Set("writ", Json::Of({{"egress", ToJson(EgressGrant{{"a.test:443", "*.b.test"}, true, 1 << 20})}}));
  Json writ = Json::MakeObject();
  SetNetwork(writ, {{"b.test", 80, 0, 2, 0, 0}, {"2001:db8::1", 443, 3, 1, 2048, 7}}, 4);
  receipt.Set("writ", std::move(writ));
  bundle.Set("contract", std::move(contract)).Set("receipt", std::move(receipt));
  const std::string screen = RenderStory(bundle, VerifyBundle(bundle));
  for (const char* line : {"          may connect to every public host\n", "          may connect to: a.test:443, *.b.test\n",
                           "          network budget 1MB\n", "          reached: [2001:db8::1]:443 (3x, 2KB in, 7 bytes out)\n",
                           "          refused: [2001:db8::1]:443 (1x), b.test:80 (2x)\n", "          and 4 more hosts\n"}) {
    EXPECT_NE(screen.find(line), std::string::npos) << line << screen;
  }
}

TEST(Render, FirstLineSaysWhetherKeysArePinned) {
  const Json bundle = test::VectorFile("bundle-valid.json");
  EXPECT_TRUE(RenderStory(bundle, VerifyBundle(bundle)).starts_with("consistent, keys not pinned: run_"));
  Json changed = bundle;
  Json receipt = *bundle.Find("receipt");
  receipt.Set("status", "failed");
  changed.Set("receipt", receipt);
  const std::string screen = RenderStory(changed, VerifyBundle(changed));
  EXPECT_TRUE(screen.starts_with("NOT VALID: 3 problems\n  - receipt runner signature invalid\n")) << screen;
  EXPECT_NE(screen.find("none of which can be relied on"), std::string::npos);
  EXPECT_TRUE(RenderStory(Json(), VerifyBundle(Json())).starts_with("NOT VALID: 1 problem\n  - bundle is malformed: "));
}

/// Replaces every string of a value.
Json WithEveryText(const Json& value, const std::string& text) {
  if (value.is_string()) return Json(text);
  if (value.is_array()) {
    Json copy = Json::MakeArray();
    for (const Json& item : value.array()) copy.Append(WithEveryText(item, text));
    return copy;
  }
  if (!value.is_object()) return value;
  Json::Object members;
  for (const auto& [name, member] : value.object()) members.emplace_back(name, name == "type" || name == "kind" ? member : WithEveryText(member, text));
  return Json::FromObject(std::move(members));
}

TEST(Render, HostileTextsCannotReachTheTerminal) {
  const Json bundle = test::VectorFile("bundle-valid.json");
  const std::string hostile = "\x1b[2J\x1b]52;c;AA==\x07\n\rVERIFIED: x\xE2\x80\xAE\xE2\x80\x8B\xF3\xA0\x81\x81\xC2\x9B\xFF\t" + std::string(3000, 'A');
  const Json all = WithEveryText(bundle, hostile);
  for (const Json& shown : {all, WithEveryText(all, "\n\n\n"), WithEveryText(all, "")}) {
    const std::string screen = RenderStory(shown, VerifyBundle(shown));
    const auto [widest, lines] = SizeOf(screen);
    EXPECT_LE(widest, 80u);
    EXPECT_LE(lines, 24u);
    EXPECT_TRUE(IsUtf8(screen));
    EXPECT_EQ(screen.find("\nVERIFIED"), std::string::npos);
    EXPECT_TRUE(std::ranges::none_of(screen, [](char c) { return (c >= 0 && c < 0x20 && c != '\n') || c == 0x7f; }));
    for (const char* hidden : {"\xE2\x80\xAE", "\xE2\x80\x8B", "\xF3\xA0\x81\x81", "\xC2\x9B"}) EXPECT_EQ(screen.find(hidden), std::string::npos);
  }
}

TEST(Render, LongListsAreCut) {
  Json bundle = test::VectorFile("bundle-valid.json");
  Json events = *bundle.Find("events");
  for (int i = 0; i < 5000; ++i) {
    events.Append(Json::Of({{"event", event::FileChanged(fmt::format("a/long/path/number/{}", i), std::string(64, 'a'))}}));
  }
  bundle.Set("events", events);
  const std::string screen = RenderStory(bundle, VerifyBundle(bundle));
  EXPECT_NE(screen.find(" and 4997 more\n"), std::string::npos) << screen;
  EXPECT_LE(SizeOf(screen).first, 80u);
}

TEST(Render, ExtensionMembersAreShown) {
  Json bundle = test::VectorFile("bundle-valid.json");
  Json contract = *bundle.Find("contract"), receipt = *bundle.Find("receipt");
  contract.Set("writ", canon::Parse(R"({"v":1,"tier":"process","identity":"nightly","limits":{"wallTimeMs":600000,"cpuTimeMs":600000,"memoryBytes":1073741824,
    "pids":256,"diskBytes":536870912},"inputs":[{"name":"data.csv","bytes":2048}]})", canon::Mode::kStrict).value());
  receipt.Set("writ", canon::Parse(R"({"v":1,"tier":"process","enforced":{"memory":"cgroup2","network":"netns"},
    "termination":{"how":"exited","code":0},"use":{"wallUs":91000,"cpuUserUs":1000,"cpuSystemUs":2000,"memoryPeakBytes":4194304,
    "stdoutBytes":3,"stderrBytes":0},"outputs":[{"name":"sum.txt","bytes":12}],"undeclared":[{"name":"core","bytes":1}],
    "missing":["extra"]})", canon::Mode::kStrict).value());
  bundle.Set("contract", contract).Set("receipt", receipt);
  const std::string screen = RenderStory(bundle, VerifyBundle(bundle));
  for (const char* line : {"alice@example.com asked, as nightly\n", "limits 600.0 s, 600.0 s cpu, ", "inputs: data.csv (", "completed, exited 0\n", "0.003 s cpu", "enforced memory=cgroup2 network=netns",
                           "outputs: sum.txt (12 bytes)", "not released: core", "missing: extra"}) {
    EXPECT_NE(screen.find(line), std::string::npos) << line << "\n" << screen;
  }
  EXPECT_LE(SizeOf(screen).second, 26u);
}

}  // namespace
}  // namespace writ::contract
