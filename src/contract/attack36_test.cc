// Attack case 36: a receipt that lies, against the offline verifier. Each test builds a bundle with real keys, does what
// an attacker who lacks some of them could do, and expects to see it named.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/utf8.h"
#include "canon/vectors_for_test.h"
#include "contract/bundle.h"
#include "contract/chain.h"
#include "contract/contract.h"
#include "contract/event.h"
#include "contract/extension.h"
#include "contract/hash.h"
#include "contract/manifest.h"
#include "contract/names.h"
#include "contract/receipt.h"
#include "contract/signing.h"
#include "contract/test_keys.h"

namespace writ::contract {
namespace {

using canon::Json;

class Attack36_Receipt : public testing::Test {
 protected:
  void SetUp() override {
    Contract contract;
    contract.run_id = "run_1";
    contract.expires_at = contract.issued_at + kContractLife;
    contract.requested_by.id = "alice";
    contract.prompt = "echo hi";
    contract.pool = "local";
    contract.workspace = ToJson(EmptyManifest());
    contract.policy_hash = std::string(64, 'a');
    contract.execution = ToJson(DefaultExecution({}, "echo hi"));
    ContractExtension extension;
    extension.decision = std::string(64, 'b');
    extension.nonce = MakeNonce();
    contract.writ = ToJson(extension);
    contract_ = Issue(contract, test::PlaneKey()).value();
    const Json events[] = {event::RunCreated(),
                           event::PolicyEvaluated("allow", "policy allows this run"),
                           event::RunClaimed("rnr_1", test::RunnerKey().key_id()),
                           event::NetworkConnected("good.example", true),
                           event::NetworkConnected("evil.example", false),
                           event::RunCompleted()};
    Extend(events);
    bundle_ = Build(ReceiptFor(events_));
  }

  void Extend(std::span<const Json> events) {
    EventChain chain(contract_.hash);
    events_ = Json::MakeArray();
    for (const Json& event : events) events_.Append(chain.Append(WallTime(Millis(chain.count())), event).value());
  }

  /// An honest receipt for these entries, without signatures.
  Json ReceiptFor(const Json& events) const {
    ReceiptFacts facts;
    for (const Json& entry : events.array()) facts.Add(entry);
    ReceiptDraft draft = DraftFor(contract_.json).value();
    draft.runner_id = "rnr_1";
    draft.runner_key_id = test::RunnerKey().key_id();
    draft.status = "completed";
    ReceiptExtension extension;
    extension.tier = "process";
    extension.probe = std::string(64, 'c');
    extension.termination = {"exited", 0, {}};
    draft.writ = ToJson(extension);
    return MakeReceipt(draft, facts);
  }

  Json Signed(Json receipt, const crypto::PrivateKey& runner = test::RunnerKey(), const crypto::PrivateKey& plane = test::PlaneKey()) const {
    EXPECT_TRUE(AppendSignature(receipt, kSignerRunner, runner));
    EXPECT_TRUE(AppendSignature(receipt, kSignerPlane, plane));
    return receipt;
  }

  Json Build(Json receipt) const {
    return MakeBundle(contract_.json, Signed(std::move(receipt)), events_, test::PlaneKey().public_key().Pem(), test::RunnerKey().public_key().Pem());
  }

  static Json With(Json bundle, std::string_view part, std::string_view member, Json value) {
    Json changed = *bundle.Find(part);
    changed.Set(member, std::move(value));
    bundle.Set(part, std::move(changed));
    return bundle;
  }

  static bool HasProblem(const Json& bundle, std::string_view problem) {
    const auto problems = VerifyBundle(bundle).problems;
    return std::ranges::find(problems, problem) != problems.end();
  }

  IssuedContract contract_;
  Json events_;
  Json bundle_;
};

TEST_F(Attack36_Receipt, HonestBundleIsValidWithoutWarnings) {
  const Verification verification = VerifyBundle(bundle_);
  EXPECT_EQ(verification.problems, std::vector<std::string>{});
  EXPECT_EQ(verification.warnings, std::vector<std::string>{});
}

TEST_F(Attack36_Receipt, EveryFieldIsSigned) {
  for (const char* part : {"contract", "receipt"}) {
    for (const Json::Member& member : bundle_.Find(part)->object()) {
      if (member.first == "signatures") continue;
      EXPECT_FALSE(VerifyBundle(With(bundle_, part, member.first, "changed")).ok()) << part << '.' << member.first;
      Json removed = *bundle_.Find(part);
      removed.Remove(member.first);
      Json bundle = bundle_;
      bundle.Set(part, removed);
      EXPECT_FALSE(VerifyBundle(bundle).ok()) << part << '.' << member.first;
    }
    EXPECT_FALSE(VerifyBundle(With(bundle_, part, "added", 1)).ok()) << part;
  }
}

TEST_F(Attack36_Receipt, EveryExtensionFieldIsSigned) {
  for (const char* part : {"contract", "receipt"}) {
    const Json& writ = *bundle_.Find(part)->Find("writ");
    for (const Json::Member& member : writ.object()) {
      Json changed = writ;
      changed.Set(member.first, "changed");
      EXPECT_FALSE(VerifyBundle(With(bundle_, part, "writ", changed)).ok()) << part << ".writ." << member.first;
    }
  }
}

TEST_F(Attack36_Receipt, AlgorithmNamesAreNotBelieved) {
  for (const char* algorithm : {"none", "hmac-sha256", "HS256", ""}) {
    Json receipt = ReceiptFor(events_);
    const Json forged = Json::Of({{"keyId", test::RunnerKey().key_id()}, {"alg", algorithm}, {"signer", "runner"}, {"sig", ""}});
    receipt.Set("signatures", Json(Json::Array{forged, Signed(ReceiptFor(events_)).Find("signatures")->array()[1]}));
    Json bundle = bundle_;
    bundle.Set("receipt", receipt);
    EXPECT_TRUE(HasProblem(bundle, "receipt runner signature invalid")) << algorithm;
  }
}

TEST_F(Attack36_Receipt, KeysOfOneRoleDoNotServeForAnother) {
  // The runner signs as plane, or the plane's signature is relabelled.
  Json bundle = bundle_;
  bundle.Set("receipt", Signed(ReceiptFor(events_), test::RunnerKey(), test::RunnerKey()));
  EXPECT_TRUE(HasProblem(bundle, "receipt plane countersignature invalid"));
  Json relabelled = Signed(ReceiptFor(events_));
  Json signatures = *relabelled.Find("signatures");
  signatures.array()[0].Set("signer", "plane");
  signatures.array()[1].Set("signer", "runner");
  relabelled.Set("signatures", signatures);
  bundle.Set("receipt", relabelled);
  EXPECT_TRUE(HasProblem(bundle, "receipt runner signature invalid"));
  EXPECT_TRUE(HasProblem(bundle, "receipt plane countersignature invalid"));
}

TEST_F(Attack36_Receipt, TheContractsSignatureDoesNotFitTheReceipt) {
  Json receipt = Signed(ReceiptFor(events_));
  Json signatures = *receipt.Find("signatures");
  signatures.array()[1] = contract_.json.Find("signatures")->array()[0];
  receipt.Set("signatures", signatures);
  Json bundle = bundle_;
  bundle.Set("receipt", receipt);
  EXPECT_TRUE(HasProblem(bundle, "receipt plane countersignature invalid"));
}

TEST_F(Attack36_Receipt, ABadSignatureInFrontShadowsAGoodOne) {
  Json receipt = Signed(ReceiptFor(events_));
  Json signatures = *receipt.Find("signatures");
  Json bad = signatures.array()[0];
  bad.Set("sig", signatures.array()[1].Find("sig")->string());
  signatures.array().insert(signatures.array().begin(), bad);
  receipt.Set("signatures", signatures);
  Json bundle = bundle_;
  bundle.Set("receipt", receipt);
  EXPECT_TRUE(HasProblem(bundle, "receipt runner signature invalid"));
}

TEST_F(Attack36_Receipt, SpellingDoesNotMatterMeaningDoes) {
  const std::string text = canon::Compact(bundle_);
  const auto verify = [](const std::string& changed) { return VerifyBundle(canon::Parse(changed, canon::Mode::kWire).value()).ok(); };
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return changed.replace(at, from.size(), to);
  };
  EXPECT_TRUE(verify(text));
  EXPECT_TRUE(verify(canon::Pretty(bundle_)));
  EXPECT_TRUE(verify(canon::Canonical(bundle_).value()));                           // another order of members
  EXPECT_TRUE(verify(replaced("\"eventCount\":6", "\"eventCount\":6.0e0")));        // another spelling of a number
  EXPECT_TRUE(verify(replaced("\"alice\"", "\"\\u0061lice\"")));                    // an escape
  EXPECT_TRUE(verify(replaced("\"status\":\"completed\"", "\"status\":\"failed\",\"status\":\"completed\"")));  // the last one counts
  EXPECT_FALSE(verify(replaced("\"status\":\"completed\"", "\"status\":\"completed\",\"status\":\"failed\"")));
  EXPECT_FALSE(verify(replaced("\"alice\"", "\"\xD0\xB0lice\"")));                  // a homoglyph
  EXPECT_FALSE(verify(replaced("\"alice\"", "\"alice\xE2\x80\x8B\"")));             // a hidden character
  EXPECT_FALSE(verify(replaced("\"eventCount\":6", "\"eventCount\":\"6\"")));
  EXPECT_FALSE(verify(replaced("\"eventCount\":6", "\"eventCount\":1e309")));
  EXPECT_FALSE(verify(replaced("\"diffHash\":\"\"", "\"diffHash\":\"\",\"__proto__\":{\"status\":\"failed\"}")));
}

TEST_F(Attack36_Receipt, AReceiptOfAnotherRun) {
  EXPECT_TRUE(HasProblem(With(bundle_, "receipt", "runId", "run_2"), "receipt.runId does not match the contract"));
  // Honest in itself, signed by both, but for a contract with another nonce.
  const Json first = bundle_;
  SetUp();
  Json mixed = bundle_;
  mixed.Set("receipt", *first.Find("receipt"));
  EXPECT_TRUE(HasProblem(mixed, "receipt.contractHash does not match the contract"));
  mixed.Set("events", *first.Find("events"));
  EXPECT_TRUE(HasProblem(mixed, "event chain broken at seq 0: prev hash mismatch"));
}

TEST_F(Attack36_Receipt, AContractThatThePlaneNeverIssued) {
  Json contract = contract_.json;
  contract.Remove("signatures");
  ASSERT_TRUE(AppendSignature(contract, kSignerPlane, test::RunnerKey()));
  Json bundle = bundle_;
  bundle.Set("contract", contract);
  EXPECT_TRUE(HasProblem(bundle, "contract plane signature invalid"));
}

TEST_F(Attack36_Receipt, ABundleOfTheAttackersOwnKeysIsCaughtByPinning) {
  Json receipt = ReceiptFor(events_);
  Json contract = contract_.json;
  contract.Remove("signatures");
  ASSERT_TRUE(AppendSignature(contract, kSignerPlane, test::OtherKey()));
  const Json forged = MakeBundle(contract, Signed(receipt, test::RunnerKey(), test::OtherKey()), events_,
                                 test::OtherKey().public_key().Pem(), test::RunnerKey().public_key().Pem());
  EXPECT_TRUE(VerifyBundle(forged).ok());  // consistent in itself, as the protocol says
  EXPECT_FALSE(VerifyBundle(forged).pinned);
  const Verification pinned = VerifyBundle(forged, {{Pin::OfKey(test::PlaneKey().public_key())}, {}});
  EXPECT_EQ(pinned.problems, std::vector<std::string>{"plane key " + test::OtherKey().key_id() + " is not pinned"});
}

TEST_F(Attack36_Receipt, AConsentThatWasNeverGrantedIsNamed) {
  const Json events[] = {event::RunCreated(), event::PolicyEvaluated("ask", "consent required: any-run"),
                         event::ConsentRequested("any-run"), event::RunClaimed("rnr_1", test::RunnerKey().key_id()), event::RunCompleted()};
  Extend(events);
  const auto warnings = VerifyBundle(Build(ReceiptFor(events_))).warnings;
  EXPECT_EQ(warnings, std::vector<std::string>{"policy asked for consent, and no consent was granted"});
}

TEST_F(Attack36_Receipt, OmittedDeniedEventsBreakTheChain) {
  Json events = events_;
  events.array().erase(events.array().begin() + 4);
  Json bundle = bundle_;
  bundle.Set("events", events);
  EXPECT_TRUE(HasProblem(bundle, "event chain broken at seq 4: sequence gap"));
}

TEST_F(Attack36_Receipt, DeniedEventsLeftOutOfTheReceiptAreNamed) {
  Json receipt = ReceiptFor(events_);
  receipt.Set("networkAccessed", Json(Json::Array{Json::Of({{"host", "good.example"}, {"decision", "allowed"}})}));
  const Verification verification = VerifyBundle(Build(receipt));
  EXPECT_TRUE(verification.ok());  // the original does not judge it either
  EXPECT_EQ(verification.warnings, std::vector<std::string>{"receipt.networkAccessed leaves out 1 of the network.connected events, the first is "
                                                            "evil.example blocked"});
}

TEST_F(Attack36_Receipt, AClaimAfterExpiryAndByAnotherKeyIsNamed) {
  EventChain chain(contract_.hash);
  const WallTime late = WallTime(kContractLife) + Millis(1);
  events_ = Json::MakeArray();
  events_.Append(chain.Append(late, event::RunClaimed("rnr_1", test::OtherKey().key_id())).value());
  events_.Append(chain.Append(late, event::RunCompleted()).value());
  EXPECT_EQ(VerifyBundle(Build(ReceiptFor(events_))).warnings,
            (std::vector<std::string>{"the run was claimed with another runner key than the receipt is signed with",
                                      "the run was claimed at 1970-01-01T01:00:00.001Z, after the contract expired at 1970-01-01T01:00:00.000Z"}));
}

TEST_F(Attack36_Receipt, AWeakerTierAndAWrongEndAreNamed) {
  Json receipt = ReceiptFor(events_);
  Json writ = *receipt.Find("writ");
  writ.Set("tier", "wasm").Set("termination", Json::Of({{"how", "time_limit"}}));
  receipt.Set("writ", writ);
  EXPECT_EQ(VerifyBundle(Build(receipt)).warnings,
            (std::vector<std::string>{"the run used tier wasm, the contract asked for process and accepted process",
                                      "the receipt has status completed, and its writ member says the run ended as time_limit"}));
  receipt.Remove("writ");
  EXPECT_EQ(VerifyBundle(Build(receipt)).warnings,
            std::vector<std::string>{"the contract sets a tier and limits, and the receipt does not say what was enforced"});
}

/// Only these members of an object, as far as they are there.
Json Only(const Json& object, std::initializer_list<std::string_view> names) {
  Json kept = Json::MakeObject();
  for (const std::string_view name : names) {
    if (const Json* member = object.Find(name)) kept.Set(name, *member);
  }
  return kept;
}

/// What signatures and hashes of a bundle cover. Not the bundle's own version and other members, not the `version` of
/// an event, of a signature only key, role and bytes, of a key only the trimmed text.
Json SignedView(const Json& bundle) {
  Json view = Json::MakeObject();
  Json events = Json::MakeArray();
  for (const Json& entry : bundle.Find("events")->array()) events.Append(Only(entry, {"seq", "ts", "prev", "event", "hash"}));
  view.Set("events", events);
  for (const char* part : {"contract", "receipt"}) {
    Json signed_part = *bundle.Find(part);
    Json signatures = *signed_part.Find("signatures");
    for (Json& signature : signatures.array()) {
      const auto bytes = Base64DecodeLenient(*signature.FindString("sig"));
      signature = Only(signature, {"keyId", "signer"}).Set("sig", HexEncode(AsBytes(bytes.value())));
    }
    view.Set(part, signed_part.Set("signatures", signatures));
  }
  for (const char* key : {"planePublicKeyPem", "runnerPublicKeyPem"}) view.Set(key, TrimSpace(*bundle.Find("keys")->FindString(key)));
  return view;
}

TEST(Attack36_Bytes, FlippingAnyByteOfABundleNeverCrashesAndNeverPassesWhenSignedDataChanged) {
  const std::string text = canon::Compact(test::VectorFile("bundle-valid.json"));
  const Json original = canon::Parse(text, canon::Mode::kWire).value();
  ASSERT_TRUE(VerifyBundle(original).ok());
  const Json signed_view = SignedView(original);
  int refused = 0, passed = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int flip = std::array{0x01, 0x20, 0x04, 0x80}[at % 4];
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ flip);
    const auto parsed = canon::Parse(changed, canon::Mode::kWire);
    if (!parsed || !VerifyBundle(*parsed).ok()) {
      ++refused;
      continue;
    }
    ++passed;
    ASSERT_TRUE(SignedView(*parsed) == signed_view) << "offset " << at << " flip " << flip << ": " << changed.substr(at < 40 ? 0 : at - 40, 80);
  }
  EXPECT_GT(refused, 10 * passed);
}

TEST(Attack36_Bytes, EveryTruncationIsRefused) {
  const std::string text = canon::Compact(test::VectorFile("bundle-valid.json"));
  for (std::size_t length = 0; length < text.size(); length += 29) EXPECT_FALSE(canon::Parse(text.substr(0, length), canon::Mode::kWire)) << length;
}

}  // namespace
}  // namespace writ::contract
