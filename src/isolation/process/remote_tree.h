#pragma once

#include <memory>

#include "isolation/backend.h"
#include "isolation/process/messages.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// Opens what a finished guest left by asking the cell's PID 1, which may read files that only ids of the cell may.
/// Not thread-safe; the socket is shared with the session.
class RemoteTreeOpener final : public sys::TreeOpener {
 public:
  explicit RemoteTreeOpener(std::shared_ptr<sys::UniqueFd> control) : control_(std::move(control)) {}
  Result<sys::TreeEntry> Open(const sys::UniqueFd& directory, std::string_view name) override;

 private:
  std::shared_ptr<sys::UniqueFd> control_;
};

}  // namespace writ::isolation::process
