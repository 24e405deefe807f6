#include "plane/carried_blobs.h"

#include <gmock/gmock.h>

#include "base/bytes.h"
#include "crypto/digest.h"

namespace writ::plane {
namespace {

using canon::Json;
using testing::HasSubstr;

std::string Refused(const Json& artifacts) {
  const auto carried = ReadCarriedBlobs(&artifacts);
  if (carried) return "(taken)";
  EXPECT_EQ(carried.error().status, 400);
  return carried.error().error;
}

Json Many(std::size_t count, std::size_t bytes) {
  Json artifacts = Json::MakeArray();
  for (std::size_t i = 0; i < count; ++i) artifacts.Append(Base64Encode(AsBytes(std::string(bytes, static_cast<char>('a' + i)))));
  return artifacts;
}

TEST(CarriedBlobs, AreNamedByTheirContent) {
  const Json artifacts = Json(Json::Array{Base64Encode(AsBytes("hi\n")), ""});
  const auto carried = ReadCarriedBlobs(&artifacts);
  ASSERT_TRUE(carried);
  ASSERT_EQ(carried->size(), 2u);
  EXPECT_EQ((*carried)[0].bytes, "hi\n");
  EXPECT_EQ((*carried)[0].hash, crypto::Sha256Hex("hi\n"));
  EXPECT_EQ((*carried)[1].hash, crypto::Sha256Hex(""));
  EXPECT_TRUE(ReadCarriedBlobs(nullptr)->empty());
}

TEST(CarriedBlobs, AreBounded) {
  EXPECT_EQ(Refused(Many(4, kCarriedBytesEach)), "(taken)");
  EXPECT_THAT(Refused(Many(5, kCarriedBytesEach)), HasSubstr("artifacts: at most 262144 bytes together"));
  EXPECT_THAT(Refused(Many(1, kCarriedBytesEach + 1)), HasSubstr("artifacts.0: at most 65536 bytes"));
  EXPECT_THAT(Refused(Many(1, 10 * kCarriedBytesEach)), HasSubstr("artifacts.0: at most 65536 bytes"));
  EXPECT_EQ(Refused(Many(kCarriedMax, 1)), "(taken)");
  EXPECT_THAT(Refused(Many(kCarriedMax + 1, 1)), HasSubstr("artifacts: at most 16"));
}

TEST(CarriedBlobs, AnythingElseIsRefused) {
  EXPECT_THAT(Refused(Json("aGk=")), HasSubstr("artifacts: must be an array"));
  EXPECT_THAT(Refused(Json::MakeObject()), HasSubstr("artifacts: must be an array"));
  EXPECT_THAT(Refused(Json(nullptr)), HasSubstr("artifacts: must be an array"));
  EXPECT_THAT(Refused(Json(Json::Array{1})), HasSubstr("artifacts.0: must be base64"));
  EXPECT_THAT(Refused(Json(Json::Array{"aGk=", "a b"})), HasSubstr("artifacts.1: must be base64"));
  EXPECT_THAT(Refused(Json(Json::Array{"a"})), HasSubstr("artifacts.0: must be base64"));
}

}  // namespace
}  // namespace writ::plane
