#include "plane/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plane/idp.h"
#include "plane/token_maker_for_test.h"

namespace writ::plane {
namespace {

using canon::Json;
using testing::HasSubstr;

const WallTime kTokenNow = *ParseTimestamp("2026-06-11T00:00:00.000Z");
const double kSeconds = 1781136000;

Json Claims() {
  return Json::Of({{"iss", "https://idp.example"}, {"aud", "writ"}, {"sub", "bob"}, {"exp", kSeconds + 300}});
}

class Jwt : public testing::Test {
 protected:
  static const TokenMaker& Rsa() { static const TokenMaker maker("RS256", "r"); return maker; }
  static const TokenMaker& Ec() { static const TokenMaker maker("ES256", "e"); return maker; }
  static const TokenMaker& Ed() { static const TokenMaker maker("EdDSA", "d"); return maker; }
  static std::string Set() {
    return canon::Compact(Json::Of({{"keys", Json(Json::Array{Rsa().PublicJwk(), Ec().PublicJwk(), Ed().PublicJwk()})}}));
  }
  IdentityProvider provider_ = *MakeIdentityProvider("https://idp.example", "writ", Set());
};

TEST_F(Jwt, AcceptsEachAlgorithm) {
  for (const auto* maker : {&Rsa(), &Ec(), &Ed()}) {
    const auto subject = provider_.Subject(maker->Sign(Claims()), kTokenNow);
    ASSERT_TRUE(subject) << subject.error().what;
    EXPECT_EQ(*subject, "bob");
  }
}

TEST_F(Jwt, ClaimsTable) {
  struct Case {
    const char* why;
    const char* name;
    Json value;
    bool good;
  };
  const Case cases[] = {
      {"another issuer", "iss", "https://idp.example/", false},
      {"no issuer", "iss", Json(), false},
      {"another audience", "aud", "other", false},
      {"a list with it", "aud", Json(Json::Array{"x", "writ"}), true},
      {"a list without it", "aud", Json(Json::Array{"x", "writ2"}), false},
      {"expired within the leeway", "exp", kSeconds - 59, true},
      {"expired", "exp", kSeconds - 60, false},
      {"exp as text", "exp", "9999999999", false},
      {"exp null", "exp", Json(), false},
      {"not yet, within the leeway", "nbf", kSeconds + 60, true},
      {"not yet", "nbf", kSeconds + 61, false},
      {"nbf as text", "nbf", "0", false},
      {"no subject", "sub", "", false},
      {"long subject", "sub", std::string(257, 's'), false},
      {"subject as number", "sub", 1, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    Json claims = Claims();
    claims.Set(c.name, c.value);
    EXPECT_EQ(provider_.Subject(Ec().Sign(claims), kTokenNow).has_value(), c.good);
  }
  Json claims = Claims();
  claims.Remove("exp");
  EXPECT_FALSE(provider_.Subject(Ec().Sign(claims), kTokenNow));
}

TEST_F(Jwt, TheKeyDecidesTheAlgorithm) {
  const auto sign = [](const TokenMaker& maker, Json header) { return maker.SignWith(header, Claims()); };
  const auto refused = [&](const std::string& token) {
    const auto subject = provider_.Subject(token, kTokenNow);
    EXPECT_FALSE(subject) << token;
    return subject ? std::string() : subject.error().what;
  };
  for (const char* alg : {"none", "None", "HS256", "RS512", "PS256", "ES384", "", "ES256", "EdDSA"})
    EXPECT_THAT(refused(sign(Rsa(), Json::Of({{"alg", alg}, {"kid", "r"}}))), HasSubstr("algorithm"));
  refused(sign(Rsa(), Json::Of({{"kid", "r"}})));
  refused(sign(Rsa(), Json::Of({{"alg", Json(Json::Array{"RS256"})}, {"kid", "r"}})));
  // The public key as a shared secret.
  refused(Rsa().SignHmac(Json::Of({{"alg", "HS256"}, {"kid", "r"}}), Claims()));
  // A key under another's name, a key that is not pinned, no name among several.
  refused(sign(Rsa(), Json::Of({{"alg", "RS256"}, {"kid", "e"}})));
  EXPECT_THAT(refused(sign(Ec(), Json::Of({{"alg", "ES256"}, {"kid", "x"}}))), HasSubstr("none of the pinned keys"));
  refused(sign(Ec(), Json::Of({{"alg", "ES256"}})));
  refused(TokenMaker("ES256", "e").Sign(Claims()));
  EXPECT_THAT(refused(sign(Ec(), Json::Of({{"alg", "ES256"}, {"kid", "e"}, {"crit", Json(Json::Array{"b64"})}}))), HasSubstr("extensions"));
  // A header that brings its own key is judged by the pinned one.
  const TokenMaker own("ES256", "e");
  refused(own.SignWith(Json::Of({{"alg", "ES256"}, {"kid", "e"}, {"jwk", own.PublicJwk()}}), Claims()));
}

TEST_F(Jwt, NoOtherTextOfATokenIsValid) {
  const std::string token = Ed().Sign(Claims());
  ASSERT_TRUE(provider_.Subject(token, kTokenNow));
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char c : {'A', 'B', '.', '=', ' ', '+'}) {
      std::string changed = token;
      if (changed[i] == c) continue;
      changed[i] = c;
      EXPECT_FALSE(provider_.Subject(changed, kTokenNow)) << i << c;
    }
  }
  for (const std::string& odd : {std::string(), std::string("."), std::string(".."), token + ".", token + "=", " " + token,
                                 token.substr(0, token.rfind('.')), token.substr(0, token.rfind('.') + 1), std::string(20000, 'a')})
    EXPECT_FALSE(provider_.Subject(odd, kTokenNow));
}

TEST_F(Jwt, KeySets) {
  const auto set = [](Json key) { return canon::Compact(Json::Of({{"keys", Json(Json::Array{std::move(key)})}})); };
  const auto with = [](Json key, const char* name, Json value) {
    key.Set(name, std::move(value));
    return key;
  };
  EXPECT_TRUE(ParseJwkSet(set(Ec().PublicJwk())));
  EXPECT_TRUE(ParseJwkSet(set(with(Ec().PublicJwk(), "use", "sig"))));
  struct Case {
    const char* why;
    std::string text;
  };
  const Case cases[] = {
      {"no JSON", "x"},
      {"no keys", "{}"},
      {"empty", R"({"keys":[]})"},
      {"only for encryption", set(with(Ec().PublicJwk(), "use", "enc"))},
      {"another algorithm", set(with(Rsa().PublicJwk(), "alg", "PS256"))},
      {"another curve", set(with(Ec().PublicJwk(), "crv", "P-384"))},
      {"private", set(with(Ec().PublicJwk(), "d", "AAAA"))},
      {"symmetric", R"({"keys":[{"kty":"oct","k":"AAAA"}]})"},
      {"off the curve", set(with(Ec().PublicJwk(), "y", std::string(43, 'A')))},
      {"short coordinate", set(with(Ec().PublicJwk(), "y", "AAAA"))},
      {"small RSA", set(with(Rsa().PublicJwk(), "n", std::string(171, 'B')))},
      {"even exponent", set(with(Rsa().PublicJwk(), "e", "AQAA"))},
      {"exponent one", set(with(Rsa().PublicJwk(), "e", "AQ"))},
      {"short Ed25519", set(with(Ed().PublicJwk(), "x", "AAAA"))},
      {"duplicate names", R"({"keys":[],"keys":[]})"},
      {"one kid twice", canon::Compact(Json::Of({{"keys", Json(Json::Array{Ec().PublicJwk(), with(Ed().PublicJwk(), "kid", "e")})}}))},
  };
  for (const auto& c : cases) EXPECT_FALSE(ParseJwkSet(c.text)) << c.why;
  // One key needs no name.
  Json nameless = Ec().PublicJwk();
  nameless.Remove("kid");
  const auto one = ParseJwkSet(set(nameless));
  ASSERT_TRUE(one) << one.error().what;
  EXPECT_TRUE(VerifyJwt(Ec().SignWith(Json::Of({{"alg", "ES256"}}), Claims()), *one));
  EXPECT_FALSE(MakeIdentityProvider("", "writ", Set()));
  EXPECT_FALSE(MakeIdentityProvider("https://idp.example", "", Set()));
}

}  // namespace
}  // namespace writ::plane
