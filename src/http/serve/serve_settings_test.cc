#include "http/serve/serve_settings.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "http/serve/log_writer.h"
#include "http/serve/serve_home.h"
#include "sys/file.h"

namespace writ::http {
namespace {

using Texts = std::map<std::string, std::string, std::less<>>;

Result<ServeSettings> Read(std::vector<std::string_view> arguments, const Texts& env = {}, const Texts& files = {}) {
  const auto look = [](const Texts& texts) {
    return [&texts](std::string_view name) -> std::optional<std::string> {
      const auto found = texts.find(name);
      return found == texts.end() ? std::nullopt : std::optional(found->second);
    };
  };
  const auto read = [&](const std::string& path) -> Result<std::string> {
    const auto text = look(files)(path);
    if (!text) return Fail(Code::kNotFound, "{}: not there", path);
    return *text;
  };
  Texts with_home = env;
  with_home.emplace("HOME", "/h/me");
  return ReadServeSettings(arguments, look(with_home), false, false, {.read = read, .read_secret = read});
}

const std::string kToken = "0123456789abcdef";

TEST(ServeSettings, FlagsWinOverVariablesOverTheFile) {
  const Texts files = {{"/s/serve.yaml", "listen: 127.0.0.1:1\npool: file\nconcurrency: 3\nadminToken: " + kToken + "\nmapIsolation: {sev: process}\n"}};
  const auto settings = Read({"--state", "/s", "--pool=flag"}, {{"WRIT_LISTEN", "[::1]:2"}, {"WRIT_POOL", "variable"}}, files);
  ASSERT_TRUE(settings) << settings.error().what;
  EXPECT_EQ(settings->pool, "flag");
  EXPECT_EQ(settings->host, "::1");
  EXPECT_EQ(settings->port, 2);
  EXPECT_EQ(settings->concurrency, 3U);
  EXPECT_EQ(settings->admin_token, kToken);
  EXPECT_EQ(settings->isolation_tiers.at("sev"), "process");
  EXPECT_TRUE(settings->warnings.empty());
}

TEST(ServeSettings, TheStateDirectory) {
  EXPECT_EQ(Read({})->state, "/h/me/.local/state/writ/plane");
  EXPECT_EQ(Read({}, {{"WARRANT_HOME", "/w"}})->state, "/w");
  EXPECT_EQ(Read({}, {{"WARRANT_HOME", "/w"}, {"FUSIONKIT_HOME", "/f"}})->state, "/f");
  EXPECT_EQ(Read({"--state", "/s"}, {{"FUSIONKIT_HOME", "/f"}})->state, "/s");
  EXPECT_EQ(Read({"--state", "here"}, {{"PWD", "/tmp"}})->state, "/tmp/here");
}

TEST(ServeSettings, ReadsTheOriginalsHome) {
  const Texts files = {{"/w/config.json", R"({"version":"warrant.config.v2","planeUrl":"http://127.0.0.1:7000","port":7000,"host":"127.0.0.1",
    "adminToken":"an-admin-token-000","enrollToken":"an-enroll-token-00","requestedBy":"me"})"}};
  const auto settings = Read({}, {{"WARRANT_HOME", "/w"}, {"LOG_LEVEL", "debug"}}, files);
  ASSERT_TRUE(settings) << settings.error().what;
  EXPECT_EQ(settings->port, 7000);
  EXPECT_EQ(settings->admin_token, "an-admin-token-000");
  EXPECT_EQ(settings->enroll_token, "an-enroll-token-00");
}

TEST(ServeSettings, Tokens) {
  const Texts files = {{"/t", kToken + "\n"}, {"/empty", "\n"}, {"/s/serve.json", R"({"adminToken":"from-the-file-000000"})"}};
  EXPECT_EQ(Read({"--admin-token-file", "/t"}, {}, files)->admin_token, kToken);
  EXPECT_EQ(Read({"--state", "/s", "--admin-token-file", "/t"}, {}, files)->admin_token, kToken) << "nearer";
  EXPECT_EQ(Read({"--admin-token", kToken}, {{"WRIT_ADMIN_TOKEN_FILE", "/t2"}}, files)->admin_token, kToken);
  EXPECT_EQ(Read({"--admin-token", kToken})->warnings.size(), 1U);
  EXPECT_TRUE(Read({}, {{"WRIT_ADMIN_TOKEN", kToken}})->warnings.empty());
  for (const char* bad : {"short", "with a space in it 0", "with\x01control0000000"}) EXPECT_FALSE(Read({"--admin-token", bad})) << bad;
  EXPECT_FALSE(Read({"--admin-token-file", "/empty"}, {}, files));
  EXPECT_FALSE(Read({"--admin-token-file", "/absent"}, {}, files));
}

TEST(ServeSettings, WhatMakesNoSenseIsRefusedAndNoTokenRepeated) {
  struct Case {
    std::vector<std::string_view> arguments;
    Texts files;
    const char* says;
  };
  const Case cases[] = {
      {{"--polcy", "x"}, {}, "did you mean \"policy\""},
      {{"serve"}, {}, "no option"},
      {{"--listen"}, {}, "needs a value"},
      {{"--listen="}, {}, "empty"},
      {{"--listen", "127.0.0.1:99999"}, {}, "port"},
      {{"--retention=yes"}, {}, "takes no value"},
      {{"--tls-cert", "c"}, {}, "belong together"},
      {{"--client-ca", "c"}, {}, "--tls-cert"},
      {{"--idp-issuer", "i"}, {}, "belong together"},
      {{"--map-isolation", "a"}, {}, "NAME=TIER"},
      {{"--log-format", "xml"}, {}, "json or text"},
      {{"--log-level", "loud"}, {}, "silent"},
      {{"--concurrency", "0"}, {}, "1 to 1024"},
      {{"--config", "/c"}, {{"/c", "adminTokn: 0123456789abcdef\n"}}, "did you mean \"adminToken\""},
      {{"--config", "/c"}, {{"/c", "pool: a\npool: b\n"}}, "/c:2"},
      {{"--config", "/c"}, {{"/c", R"({"pool":"a","pool":"b"})"}}, "pool"},
      {{"--config", "/c"}, {{"/c", "[1]"}}, "mapping"},
      {{"--config", "/c"}, {{"/c", "state: /elsewhere\n"}}, "command line"},
      {{"--config", "/absent"}, {}, "not there"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    const auto settings = Read(c.arguments, {}, c.files);
    ASSERT_FALSE(settings);
    EXPECT_NE(settings.error().what.find(c.says), std::string::npos) << settings.error().what;
    EXPECT_EQ(settings.error().what.find(kToken), std::string::npos) << settings.error().what;
  }
}

class ServeHome : public testing::Test {
 protected:
  ServeHome() {
    std::string pattern = (std::filesystem::temp_directory_path() / "writ-serve-XXXXXX").string();
    state_ = ::mkdtemp(pattern.data());
  }
  ~ServeHome() override { std::filesystem::remove_all(state_); }
  std::string state_;
};

TEST_F(ServeHome, KeysStayTheSameAndNeedTheirMaster) {
  const auto first = ReadOrCreatePlaneKeys(state_, {});
  ASSERT_TRUE(first) << first.error().what;
  const auto second = ReadOrCreatePlaneKeys(state_, {});
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(first->plane.key_id(), second->plane.key_id());
  EXPECT_EQ(first->keeper.key_id(), second->keeper.key_id());
  EXPECT_NE(first->plane.key_id(), first->keeper.key_id());
  EXPECT_EQ(*sys::ReadFile(state_ + "/keys/plane.pub.pem", 4096), first->plane_pem);
  const auto sealed = *sys::ReadFile(state_ + "/keys/plane.key.enc", 4096);
  EXPECT_NE(sealed.find("sealed.v1"), std::string::npos);
  EXPECT_EQ(sealed.find("PRIVATE KEY"), std::string::npos);
  const auto other = crypto::SecretBytes::CopyOf(AsBytes("another master"));
  EXPECT_EQ(ReadOrCreatePlaneKeys(state_, other).error().code, Code::kDenied);
}

TEST_F(ServeHome, InitMakesWhatServeNeedsOnce) {
  ServeSettings settings;
  settings.state = state_;
  const auto shown = InitialiseHome(settings, {});
  ASSERT_TRUE(shown) << shown.error().what;
  const auto file = *sys::ReadFile(state_ + "/serve.json", 4096);
  const auto read = Read({"--state", state_}, {}, {{state_ + "/serve.json", file}});
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->admin_token.size(), 43U);
  EXPECT_NE(read->admin_token, read->enroll_token);
  EXPECT_NE(shown->find(read->admin_token), std::string::npos);
  EXPECT_EQ(std::filesystem::status(state_ + "/serve.json").permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(InitialiseHome(settings, {}).error().code, Code::kInvalid) << "nothing is replaced";
  EXPECT_EQ(*sys::ReadFile(state_ + "/serve.json", 4096), file);
}

TEST(LogWriter, AReaderThatHasStoppedStopsNobody) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::UniqueFd out(ends[0]), in(ends[1]);
  LogWriter writer(in.get());
  for (int i = 0; i < 200000; ++i) writer.Line(std::string(100, 'x'));  // far more than the pipe takes
  SUCCEED();
}

}  // namespace
}  // namespace writ::http
