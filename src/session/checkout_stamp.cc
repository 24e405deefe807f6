#include "session/checkout_stamp.h"

#include <fmt/format.h>

#include <iterator>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "sys/file.h"
#include "workspace/walk.h"

namespace writ::session {
namespace {

class Stamper final : public workspace::TreeVisitor {
 public:
  void Add(std::string_view path, const sys::FileMeta& meta) {
    line_.clear();
    fmt::format_to(std::back_inserter(line_), "{} {:o} {} {} {} {} {} {} {}", static_cast<int>(meta.type), meta.mode,
                   meta.uid, meta.gid, meta.type == sys::FileType::kDirectory ? 0 : meta.bytes, meta.links, meta.inode,
                   meta.mtime_ns, meta.ctime_ns);
    line_.push_back('\0');
    line_.append(path);
    line_.push_back('\0');
    hash_.Update(AsBytes(std::string_view(line_)));
  }
  bool OnLook(const std::string& path, const sys::FileMeta& meta) override {
    Add(path, meta);
    return true;
  }
  Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) override {
    Add(path, entry.meta);
    return true;
  }
  Result<> OnUnreadable(const std::string&, const Error& error) override { return std::unexpected(error); }
  Result<> OnTooLong(const std::string& parent) override {
    return Fail(Code::kExhausted, "a path in {:?} is longer than 4095 bytes", parent);
  }
  std::string Finish() { return hash_.FinishHex(); }

 private:
  crypto::Sha256 hash_;
  std::string line_;
};

}  // namespace

Result<std::string> StampOf(const sys::UniqueFd& tree, std::size_t entries_max) {
  Stamper stamper;
  stamper.Add("", WRIT_TRY("look at the work tree", sys::MetaOf(tree.get())));
  sys::LocalTreeOpener opener;
  WRIT_TRY("look at the work tree",
           workspace::Walk(tree, opener, {.entries_max = entries_max, .path_bytes_max = 4095}, stamper));
  return stamper.Finish();
}

}  // namespace writ::session
