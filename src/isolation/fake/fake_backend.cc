#include "isolation/fake/fake_backend.h"

#include <cstdlib>

#include "isolation/fake/fake_session.h"

namespace writ::isolation::fake {

FakeBackend::FakeBackend(std::string scratch, Author author)
    : scratch_(std::move(scratch)), author_(std::move(author)) {}

FakeBackend::FakeBackend(std::string scratch, Script script)
    : FakeBackend(std::move(scratch), [script = std::move(script)](const SessionSpec&) { return script; }) {}

Result<> FakeBackend::Accepts(const SessionSpec& spec) const {
  if (spec.argv.empty()) return Fail(Code::kInvalid, "argv is empty");
  if (auto script = author_(spec); script.accepts_error) return std::unexpected(*script.accepts_error);
  return {};
}

Result<std::unique_ptr<Session>> FakeBackend::Start(SessionSpec spec, OutputSink& sink) {
  WRIT_TRY("accept", Accepts(spec));
  Script script = author_(spec);
  if (script.start_error) return std::unexpected(*script.start_error);
  std::string directory = scratch_ + "/guest.XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return FailErrno("make " + directory);
  std::error_code error;
  for (const char* place : {"work", "out"}) {
    std::filesystem::create_directory(directory + "/" + place, error);
    if (error) return std::unexpected(ErrnoError(error.value(), "make " + directory + "/" + place));
  }
  ++started_;
  return std::make_unique<FakeSession>(std::move(spec), std::move(script), sink, directory);
}

}  // namespace writ::isolation::fake
