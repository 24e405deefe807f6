#include "crypto/sealed.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <climits>
#include <memory>

#include "base/freed_by.h"
#include "base/ids.h"
#include "base/utf8.h"

namespace writ::crypto {
namespace {

constexpr std::size_t kSaltBytes = 16, kIvBytes = 12, kTagBytes = 16, kKeyBytes = 32;
constexpr std::size_t kDataBytesMax = 64u << 20;

using LibraryContext = std::unique_ptr<OSSL_LIB_CTX, FreedBy<OSSL_LIB_CTX_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER, FreedBy<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreedBy<EVP_CIPHER_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, FreedBy<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, FreedBy<EVP_KDF_CTX_free>>;

/// A context of our own reads no configuration file: nobody swaps the algorithms through OPENSSL_CONF.
OSSL_LIB_CTX* Library() {
  static const LibraryContext context(OSSL_LIB_CTX_new());
  return context.get();
}

std::unexpected<Error> Unavailable(std::string_view what) {
  return Fail(Code::kInternal, "OpenSSL could not {}", what);
}

const std::uint8_t* Bytes(std::string_view text) { return AsBytes(text).data(); }

}  // namespace

Result<SecretBytes> ReadMaster(std::string_view text) {
  text = TrimSpace(text);
  if (text.empty()) return Fail(Code::kInvalid, "the master secret is empty");
  if (text.size() == 64) {
    if (auto bytes = HexDecode(text)) {
      SecretBytes master = SecretBytes::CopyOf(AsBytes(*bytes));
      Wipe(*bytes);
      return master;
    }
  }
  return SecretBytes::CopyOf(AsBytes(text));
}

Result<SecretBytes> DeriveSealKey(const SecretBytes& master, std::string_view salt) {
  const Kdf kdf(EVP_KDF_fetch(Library(), "SCRYPT", nullptr));
  const KdfContext context(kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
  if (context == nullptr) return Unavailable("provide scrypt");
  std::uint64_t n = 16384;
  std::uint32_t r = 8, p = 1;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, const_cast<std::uint8_t*>(master.bytes().data()), master.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<char*>(salt.data()), salt.size()),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
      OSSL_PARAM_construct_end()};
  SecretBytes key(kKeyBytes);
  if (EVP_KDF_derive(context.get(), key.bytes().data(), key.size(), params) != 1) return Unavailable("run scrypt");
  return key;
}

Result<SealedBox> Seal(ByteView plaintext, const SecretBytes& master) {
  if (plaintext.size() > kDataBytesMax) {
    return Fail(Code::kExhausted, "{} bytes are too many to seal; at most {}", plaintext.size(), kDataBytesMax);
  }
  SealedBox box{std::string(kSaltBytes, '\0'), std::string(kIvBytes, '\0'), std::string(kTagBytes, '\0'),
                std::string(plaintext.size(), '\0')};
  const auto writable = [](std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); };
  FillRandom({writable(box.salt), box.salt.size()});
  FillRandom({writable(box.iv), box.iv.size()});
  const SecretBytes key = WRIT_TRY("seal", DeriveSealKey(master, box.salt));
  const Cipher cipher(EVP_CIPHER_fetch(Library(), "AES-256-GCM", nullptr));
  const CipherContext context(EVP_CIPHER_CTX_new());
  if (cipher == nullptr || context == nullptr) return Unavailable("provide AES-256-GCM");
  int length = 0, tail = 0;
  if (EVP_EncryptInit_ex2(context.get(), cipher.get(), key.bytes().data(), Bytes(box.iv), nullptr) != 1 ||
      EVP_EncryptUpdate(context.get(), writable(box.data), &length, plaintext.data(), static_cast<int>(plaintext.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), writable(box.data) + length, &tail) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, box.tag.data()) != 1) {
    return Unavailable("encrypt");
  }
  return box;
}

Result<SecretBytes> Open(const SealedBox& box, const SecretBytes& master) {
  if (box.salt.size() != kSaltBytes || box.iv.size() != kIvBytes || box.tag.size() != kTagBytes) {
    return Fail(Code::kCorrupt, "a sealed file needs a salt of {}, an iv of {} and a tag of {} bytes; these have {}, {} and {}",
                kSaltBytes, kIvBytes, kTagBytes, box.salt.size(), box.iv.size(), box.tag.size());
  }
  if (box.data.size() > kDataBytesMax) {
    return Fail(Code::kExhausted, "sealed data of {} bytes is larger than {}", box.data.size(), kDataBytesMax);
  }
  const SecretBytes key = WRIT_TRY("open sealed data", DeriveSealKey(master, box.salt));
  const Cipher cipher(EVP_CIPHER_fetch(Library(), "AES-256-GCM", nullptr));
  const CipherContext context(EVP_CIPHER_CTX_new());
  if (cipher == nullptr || context == nullptr) return Unavailable("provide AES-256-GCM");
  SecretBytes plaintext(box.data.size());
  int length = 0, tail = 0;
  std::string tag = box.tag;
  if (EVP_DecryptInit_ex2(context.get(), cipher.get(), key.bytes().data(), Bytes(box.iv), nullptr) != 1 ||
      EVP_DecryptUpdate(context.get(), plaintext.bytes().data(), &length, Bytes(box.data), static_cast<int>(box.data.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) != 1) {
    return Unavailable("decrypt");
  }
  std::uint8_t end[1];
  if (EVP_DecryptFinal_ex(context.get(), end, &tail) != 1) {
    return Fail(Code::kDenied, "sealed data does not open: wrong master secret, or the file was changed");
  }
  return plaintext;
}

}  // namespace writ::crypto
