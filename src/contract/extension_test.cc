#include "contract/extension.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/event.h"

namespace writ::contract {
namespace {

using canon::Json;

ContractExtension FullContract() {
  ContractExtension extension;
  extension.limits.memory_bytes = 1 << 20;
  extension.accept = {{"memory", "rlimit"}};
  extension.kill_on_output_limit = true;
  extension.inputs = {{"data", "directory", std::string(64, 'a'), 7}};
  extension.outputs = {{"out.txt", false}, {"extra", true}};
  extension.workspace = WorkspaceView{"copy-on-write", std::string(64, 'b')};
  extension.root = RootImage{"debian", std::string(64, 'c')};
  extension.env_from_caller = {"LANG"};
  extension.terminal = true;
  extension.labels = {{"zone", "eu-1"}};
  extension.on_lost = "fail";
  extension.egress = EgressGrant{{"packages.example:443", "*.example.org"}, true, 1 << 20};
  extension.identity = "nightly";
  extension.decision = std::string(64, 'd');
  extension.approval = std::string(64, 'e');
  extension.nonce = MakeNonce();
  return extension;
}

ReceiptExtension FullReceipt() {
  ReceiptExtension extension;
  extension.tier = "process";
  extension.backend = {"jail", "0.1.0"};
  extension.kernel = "6.18.0";
  extension.version = "0.1.0";
  extension.enforced = {{"memory", "cgroup2"}, {"network", "netns"}};
  extension.probe = std::string(64, 'f');
  extension.termination = {"signal", 9, "killed"};
  extension.use = {1000, 10, 20, 4096, 3, 4};
  extension.duration_us = 2000;
  extension.outputs = {{"out.txt", std::string(64, 'a'), 5}};
  extension.missing = {"extra"};
  extension.undeclared = {{"core", 12}};
  extension.undeclared_more = 2;
  extension.stderr_truncated = true;
  extension.network = {{"a.example", 443, 2, 0, 100, 20}, {"b.example", 80, 0, 1, 0, 0}};
  extension.network[0].intercepted = {"h2", "http/1.1"};
  extension.network_more = 3;
  return extension;
}

/// Wire names are a contract with readers elsewhere: they must not change by accident.
TEST(Extension, NamesOnTheWire) {
  ContractExtension extension;
  extension.decision = std::string(64, '0');
  extension.nonce = std::string(32, '0');
  EXPECT_EQ(canon::Compact(ToJson(extension)),
            "{\"v\":1,\"tier\":\"process\",\"weakest\":\"process\",\"limits\":{\"wallTimeMs\":600000,\"cpuTimeMs\":600000,"
            "\"cpuMillis\":2000,\"memoryBytes\":1073741824,\"pids\":256,\"openFiles\":1024,\"stdoutBytes\":16777216,"
            "\"stderrBytes\":16777216,\"diskBytes\":536870912,\"inodes\":65536},\"decision\":\"" + std::string(64, '0') +
            "\",\"nonce\":\"" + std::string(32, '0') + "\"}");
  EXPECT_EQ(canon::Compact(ToJson(ResourceRecord{1, 2, 3, 4, 5, 6})),
            R"({"wallUs":1,"cpuUserUs":2,"cpuSystemUs":3,"memoryPeakBytes":4,"stdoutBytes":5,"stderrBytes":6})");
  EXPECT_EQ(canon::Compact(ToJson(TerminationRecord{"exited", 0, {}})), R"({"how":"exited","code":0})");
}

TEST(Extension, ContractRoundTrips) {
  const ContractExtension extension = FullContract();
  EXPECT_EQ(DecodeContractExtension(ToJson(extension)).value(), extension);
  EXPECT_NE(FullContract().nonce, extension.nonce);
}

TEST(Extension, ReceiptRoundTrips) { EXPECT_EQ(DecodeReceiptExtension(ToJson(FullReceipt())).value(), FullReceipt()); }

TEST(Extension, RequestRoundTripsAndIsStrict) {
  RequestExtension extension;
  EXPECT_EQ(DecodeRequestExtension(ToJson(extension)).value(), extension);
  extension.tier = "microvm";
  extension.limits = {{"pids", 5}, {"memoryBytes", 1 << 20}};
  extension.accept = {{"cpus", "nice"}};
  extension.inputs = {{"tool", "file", std::string(64, 'a'), 7, true}, {"data", "directory", std::string(64, 'b'), 9}};
  extension.stdin_content = StdinDigest{std::string(64, 'c'), 5};
  extension.outputs = {{"x", true}};
  extension.labels = {{"gpu", "a100"}, {"zone", "eu-1"}};
  extension.on_lost = "requeue";
  extension.egress = EgressGrant{{"api.test:443"}, false, 1024};
  EXPECT_EQ(DecodeRequestExtension(ToJson(extension)).value(), extension);
  Json label = ToJson(extension);
  label.Set("labels", Json::Of({{"gpu", "a 100"}}));
  EXPECT_EQ(DecodeRequestExtension(label).error().what,
            "request.writ.labels.gpu: labels and their values have 1 to 128 of A-Z a-z 0-9 _ . : -");
  Json lost = ToJson(extension);
  lost.Set("onLost", "forget");
  EXPECT_EQ(DecodeRequestExtension(lost).error().what, "request.writ.onLost: must be \"fail\" or \"requeue\" where it is present");
  Json live = ToJson(extension);
  live.Set("stdin", true);
  EXPECT_FALSE(DecodeRequestExtension(live)) << "a plane has nothing that could be said while the run goes on";
  Json contract = ToJson(FullContract());
  contract.Set("stdin", true);
  EXPECT_FALSE(DecodeContractExtension(contract).value().stdin_content) << "which a local contract may say";
  Json unknown = ToJson(extension);
  unknown.Set("sudo", true);
  EXPECT_EQ(DecodeRequestExtension(unknown).error().what, "request.writ.sudo: is not a known member");
  Json limit = ToJson(extension);
  limit.Set("limits", Json::Of({{"memory", 1}}));
  EXPECT_EQ(DecodeRequestExtension(limit).error().what, "request.writ.limits.memory: is not a known limit");
}

TEST(Extension, ZeroAndUnknownVersionsAreRefused) {
  const auto refused = [](const char* member, Json value) {
    Json json = ToJson(FullContract());
    json.Set(member, std::move(value));
    const auto decoded = DecodeContractExtension(json);
    return decoded ? std::string("accepted") : decoded.error().what;
  };
  EXPECT_EQ(refused("v", 2), "contract.writ.v: must be 1, the only version known here");
  Json limits = *ToJson(FullContract()).Find("limits");
  limits.Set("memoryBytes", 0);
  EXPECT_EQ(refused("limits", limits), "contract.writ.limits.memoryBytes: must be a whole number from 1 to 9007199254740991");
  limits.Remove("memoryBytes");
  EXPECT_EQ(refused("limits", limits), "contract.writ.limits.memoryBytes: is missing");
  EXPECT_EQ(refused("accept", Json::Of({{"memory", 1}})), "contract.writ.accept.memory: must be the name of a mechanism");
  EXPECT_EQ(refused("onOutputLimit", "cut"), "contract.writ.onOutputLimit: must be \"kill\" where it is present");
  EXPECT_EQ(refused("nonce", "short"), "contract.writ.nonce: must have 32 to 32 characters, has 5");
  EXPECT_EQ(refused("decision", "x"), "contract.writ.decision: must be 64 lower-case hex characters");
  Json receipt = ToJson(FullReceipt());
  receipt.Set("termination", Json::Of({{"how", "vanished"}}));
  EXPECT_EQ(DecodeReceiptExtension(receipt).error().what, "receipt.writ.termination.how: is not one of the ends a run can have");
}

TEST(Extension, NetworkOnTheWire) {
  EXPECT_EQ(canon::Compact(ToJson(EgressGrant{{"a:443"}, false, {}})), R"({"rules":["a:443"]})");
  EXPECT_EQ(canon::Compact(ToJson(EgressGrant{{}, true, 5})), R"({"rules":[],"open":true,"budgetBytes":5})");
  EXPECT_EQ(canon::Compact(ToJson(HostUse{"a", 443, 1, 2, 3, 4})),
            R"({"host":"a","port":443,"connections":1,"refused":2,"bytesIn":3,"bytesOut":4})");
  Json json = Json::MakeObject();
  SetNetwork(json, {}, 0);
  EXPECT_EQ(canon::Compact(json), "{}");
}

TEST(Extension, BadNetworkIsRefused) {
  const auto refused = [](Json egress) {
    Json json = ToJson(FullContract());
    json.Set("egress", std::move(egress));
    const auto decoded = DecodeContractExtension(json);
    return decoded ? std::string("accepted") : decoded.error().what;
  };
  EXPECT_EQ(refused(Json::MakeArray()), "contract.writ.egress: must be an object");
  EXPECT_EQ(refused(Json::MakeObject()), "contract.writ.egress.rules: is missing");
  EXPECT_THAT(refused(Json::Of({{"rules", Json::Array{""}}})), testing::StartsWith("contract.writ.egress.rules[0]"));
  EXPECT_THAT(refused(Json::Of({{"rules", Json::MakeArray()}, {"open", "yes"}})),
              testing::StartsWith("contract.writ.egress.open"));
  EXPECT_THAT(refused(Json::Of({{"rules", Json::MakeArray()}, {"budgetBytes", 0}})),
              testing::StartsWith("contract.writ.egress.budgetBytes"));
  EXPECT_THAT(refused(Json::Of({{"rules", Json::Array(kEgressRulesMax + 1, "a")}})),
              testing::StartsWith("contract.writ.egress.rules"));
  Json receipt = ToJson(FullReceipt());
  receipt.Set("network", Json::Array{Json::Of({{"host", "a"}, {"port", 65536}})});
  EXPECT_THAT(DecodeReceiptExtension(receipt).error().what, testing::StartsWith("receipt.writ.network[0].port"));
}

TEST(Extension, HostsAreSortedAndBoundedWhenWritten) {
  ReceiptExtension extension = FullReceipt();
  extension.network.clear();
  for (std::size_t i = 0; i < kHostsListedMax + 2; ++i) extension.network.push_back({fmt::format("h{:05}", 5000 - i), 1, 1, 0, 0, 0});
  const ReceiptExtension decoded = DecodeReceiptExtension(ToJson(extension)).value();
  ASSERT_EQ(decoded.network.size(), kHostsListedMax);
  EXPECT_EQ(decoded.network.front().host, fmt::format("h{:05}", 5000 - kHostsListedMax - 1));
  EXPECT_EQ(decoded.network_more, 5u);
}

TEST(Extension, ListsAreBoundedWhenWritten) {
  ReceiptExtension extension = FullReceipt();
  extension.undeclared.assign(kUndeclaredMax + 5, {"f", 1});
  extension.termination.message = std::string(100000, 'x');
  const ReceiptExtension decoded = DecodeReceiptExtension(ToJson(extension)).value();
  EXPECT_EQ(decoded.undeclared.size(), kUndeclaredMax);
  EXPECT_EQ(decoded.undeclared_more, 7u);
  EXPECT_LT(decoded.termination.message->size(), 5000u);
}

TEST(Extension, StatusWordsFollowFromTheEnd) {
  EXPECT_EQ(StatusOf({"exited", 0, {}}), "completed");
  EXPECT_EQ(StatusOf({"exited", 3, {}}), "failed");
  EXPECT_EQ(StatusOf({"exited", {}, {}}), "failed");
  EXPECT_EQ(StatusOf({"cancelled", {}, {}}), "cancelled");
  EXPECT_EQ(StatusOf({"time_limit", {}, {}}), "failed");
}

TEST(Extension, EventsCarryTheirFactsInside) {
  Json made = event::Extension("writ.output.missing", Json::Of({{"name", "x"}}));
  event::StampMonotonic(made, 12);
  EXPECT_EQ(canon::Compact(made), R"({"type":"writ.output.missing","writ":{"v":1,"name":"x","monoUs":12}})");
  Json plain = event::RunCreated();
  event::StampMonotonic(plain, 0);
  EXPECT_EQ(canon::Compact(plain), R"({"type":"run.created","writ":{"v":1,"monoUs":0}})");
}

}  // namespace
}  // namespace writ::contract
