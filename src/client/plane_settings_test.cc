#include "client/plane_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "sys/file.h"

namespace writ::client {
namespace {

using testing::HasSubstr;

class PlaneSettingsTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, std::string_view text, std::uint32_t mode = 0600) {
    const std::string path = directory_.path() + "/" + name;
    EXPECT_TRUE(sys::WriteFileAtomic(path, text, mode));
    return path;
  }
  EnvLookup Env(std::map<std::string, std::string, std::less<>> values) {
    return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
      const auto found = values.find(name);
      return found == values.end() ? std::nullopt : std::optional(found->second);
    };
  }
  sys::TemporaryDirectory directory_ = sys::TemporaryDirectory::Create(testing::TempDir(), "settings").value();
};

TEST_F(PlaneSettingsTest, SavesPrivatelyAndReadsBack) {
  PlaneSettings settings;
  settings.default_name = "work";
  settings.planes["work"] = {"https://plane.test:7172", "/srv/alice/token", "/srv/alice/ca.pem"};
  settings.planes["lab"] = {"http://127.0.0.1:7172/x", "", ""};
  const std::string directory = directory_.path() + "/writ";
  ASSERT_TRUE(SavePlaneSettings(directory, settings));
  struct stat status{};
  ASSERT_EQ(::stat((directory + "/planes.json").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(LoadPlaneSettings(directory).value(), settings);
  EXPECT_EQ(LoadPlaneSettings(directory_.path() + "/none").value(), PlaneSettings{});
  ASSERT_EQ(::chmod((directory + "/planes.json").c_str(), 0644), 0);
  EXPECT_EQ(LoadPlaneSettings(directory).error().code, Code::kDenied);
}

TEST_F(PlaneSettingsTest, WrongSettingsAreRefused) {
  for (const char* text : {"", "{}", "[]", R"({"version":"writ.planes.v1"})", R"({"version":"writ.planes.v2","planes":{}})",
                           R"({"version":"writ.planes.v1","planes":{"a b":{"url":"http://x"}}})",
                           R"({"version":"writ.planes.v1","planes":{"a":{"url":"ftp://x"}}})",
                           R"({"version":"writ.planes.v1","planes":{"a":{"url":"http://u:p@x"}}})",
                           R"({"version":"writ.planes.v1","planes":{"a":{"url":"http://x","tokenFile":"rel"}}})",
                           R"({"version":"writ.planes.v1","planes":{"a":{"url":"http://x","token":"t"}}})",
                           R"({"version":"writ.planes.v1","default":"b","planes":{}})"}) {
    EXPECT_FALSE(ParsePlaneSettings(text)) << text;
  }
}

TEST_F(PlaneSettingsTest, ClientCertificatesComeWithTheirKeys) {
  PlaneSettings settings;
  settings.planes["work"] = {"https://plane.test:443", "", "", "/me.pem", "/me.key"};
  EXPECT_EQ(ParsePlaneSettings(canon::Compact(ToJson(settings))).value(), settings);
  EXPECT_FALSE(ParsePlaneSettings(R"({"version":"writ.planes.v1","planes":{"a":{"url":"https://x","clientCertFile":"/a"}}})"));
  EXPECT_FALSE(ParsePlaneSettings(R"({"version":"writ.planes.v1","planes":{"a":{"url":"https://x","clientCertFile":"a","clientKeyFile":"b"}}})"));
  PlaneChoice choice;
  choice.plane = "work";
  EXPECT_EQ(ResolvePlane(choice, settings, "", Env({}))->client_key_file, "/me.key");
  choice.client_cert_file = "/other.pem";
  EXPECT_EQ(ResolvePlane(choice, settings, "", Env({})).error().what, "--client-cert and --client-key come together");
  choice.client_key_file = "/other.key";
  EXPECT_EQ(ResolvePlane(choice, settings, "", Env({}))->client_cert_file, "/other.pem");
}

TEST_F(PlaneSettingsTest, WhereThePlaneIs) {
  const std::string token_file = Write("token", " secret-of-work \n");
  PlaneSettings settings;
  settings.default_name = "work";
  settings.planes["work"] = {"https://plane.test:443", token_file, "/ca.pem"};
  settings.planes["lab"] = {"http://127.0.0.1:7172", "", ""};

  const auto by_default = ResolvePlane({}, settings, "", Env({})).value();
  EXPECT_EQ(by_default.url, "https://plane.test:443");
  EXPECT_EQ(by_default.token.text(), "secret-of-work");
  EXPECT_EQ(by_default.ca_file, "/ca.pem");
  EXPECT_TRUE(by_default.tls);
  EXPECT_FALSE(by_default.loopback);

  PlaneChoice other;
  other.plane = "http://evil.test:80";
  const auto elsewhere = ResolvePlane(other, settings, "", Env({})).value();
  EXPECT_TRUE(elsewhere.token.empty()) << "a token kept for one plane never goes to another";
  PlaneChoice spelled;
  spelled.plane = "https://PLANE.test/";
  EXPECT_EQ(ResolvePlane(spelled, settings, "", Env({}))->token.text(), "secret-of-work") << "the same plane, spelled otherwise";
  EXPECT_EQ(ResolvePlane({}, settings, "", Env({{"WRIT_PLANE", "lab"}}))->url, "http://127.0.0.1:7172");
  EXPECT_TRUE(ResolvePlane({}, settings, "", Env({{"WRIT_PLANE", "lab"}}))->loopback);
  EXPECT_EQ(ResolvePlane({}, settings, "from-env", Env({}))->token.text(), "from-env");
  PlaneChoice file;
  file.token_file = Write("other", "from-file");
  EXPECT_EQ(ResolvePlane(file, settings, "from-env", Env({}))->token.text(), "from-file");
  PlaneChoice unknown;
  unknown.plane = "nowhere";
  EXPECT_THAT(ResolvePlane(unknown, settings, "", Env({})).error().what, HasSubstr("nowhere"));
  EXPECT_THAT(ResolvePlane({}, {}, "", Env({})).error().what, HasSubstr("writ plane login"));
}

TEST_F(PlaneSettingsTest, Attack19_ANameThatBeginsLikeAnAddressIsNotThisMachine) {
  for (const auto& [url, loopback] : {std::pair{"http://127.0.0.1:1", true}, {"http://127.1.2.3:1", true}, {"http://[::1]:1", true},
                                      {"http://localhost:1", true}, {"http://127.plane.example:1", false}, {"http://127.0.0.1.plane.example:1", false},
                                      {"http://localhost.plane.example:1", false}, {"http://192.0.2.1:1", false}}) {
    PlaneChoice choice;
    choice.plane = url;
    const auto target = ResolvePlane(choice, {}, "tok", Env({}));
    ASSERT_TRUE(target) << url << ": " << target.error().what;
    EXPECT_EQ(target->loopback, loopback) << url << ": in plain text the token goes to this machine only";
  }
}

TEST_F(PlaneSettingsTest, TheOriginalsConfigurationIsReadWhereItsHomeIsNamed) {
  Write("config.json", R"({"version":"warrant.config.v2","planeUrl":"http://127.0.0.1:7172/","port":7172,"host":"127.0.0.1",)"
                       R"("adminToken":"adm-token","enrollToken":"e","requestedBy":"alice"})");
  const auto target = ResolvePlane({}, {}, "", Env({{"WARRANT_HOME", directory_.path()}}));
  ASSERT_TRUE(target) << target.error().what;
  EXPECT_EQ(target->url, "http://127.0.0.1:7172");
  EXPECT_EQ(target->token.text(), "adm-token");
  EXPECT_EQ(target->requested_by, "alice");
  PlaneChoice elsewhere;
  elsewhere.plane = "http://other.test:1";
  EXPECT_TRUE(ResolvePlane(elsewhere, {}, "", Env({{"WARRANT_HOME", directory_.path()}}))->token.empty());
  ASSERT_EQ(::chmod((directory_.path() + "/config.json").c_str(), 0644), 0);
  EXPECT_EQ(ResolvePlane({}, {}, "", Env({{"FUSIONKIT_HOME", directory_.path()}})).error().code, Code::kDenied);
}

TEST_F(PlaneSettingsTest, TokensAreTokens) {
  EXPECT_EQ(ReadTokenFile(Write("t", "abc\n"))->text(), "abc");
  EXPECT_EQ(ReadTokenFile(Write("t", "abc", 0644)).error().code, Code::kDenied);
  for (const std::string& text : {std::string(), std::string(" \n"), std::string("a b"), std::string("a\nb"), std::string("a\r\nX-Evil: 1"),
                                 std::string("\xc3\xa4"), std::string(2000, 'a')}) {
    EXPECT_EQ(ReadTokenFile(Write("t", text)).error().code, Code::kInvalid) << text;
  }
  EXPECT_FALSE(ReadTokenFile(directory_.path()));
  EXPECT_EQ(ReadTokenFile("/nonexistent").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace writ::client
