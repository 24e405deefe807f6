#include "session/run_results.h"

#include <algorithm>
#include <set>

#include "base/utf8.h"
#include "contract/event.h"
#include "crypto/digest.h"
#include "session/blob_intake.h"
#include "session/change_record.h"
#include "session/output_record.h"
#include "workspace/diff.h"
#include "workspace/warrant_manifest.h"

namespace writ::session {
namespace {

namespace event = contract::event;
using canon::Json;
using storage::Durability;
using workspace::Change;
using workspace::ChangeKind;
using workspace::EntryType;

/// Stores a record as canonical bytes under its kind. Records are small next to what they list.
Result<storage::Artifact> StoreRecord(storage::BlobStore& blobs, std::string_view kind, const Json& record) {
  const std::string text = WRIT_TRY(kind, canon::Canonical(record));
  const std::string hash = WRIT_TRY(kind, blobs.Put(AsBytes(text), Durability::kBuffered));
  return storage::Artifact{std::string(kind), "", hash, text.size()};
}

/// What file.changed says of a path: the digest of its bytes, or of a link's target; zeros when there are none.
std::string ContentHash(const Change& change) {
  if (!change.after) return std::string(event::kAbsentFile);
  if (change.after->type == EntryType::kSymlink) return crypto::Sha256Hex(change.after->target);
  return change.after->sha256.empty() ? std::string(event::kAbsentFile) : change.after->sha256;
}

bool IsDirectory(const Change& change) {
  const auto& state = change.after ? change.after : change.before;
  return state && state->type == EntryType::kDirectory;
}

/// Keeps secrets out of what is recorded of changes.
void RedactChanges(workspace::ChangeSet& set, const BlobIntake& intake, const Redaction& redaction) {
  if (redaction == nullptr) return;
  const auto holds = [&](std::string_view text) { return Redact(redaction, text) != text; };
  std::erase_if(set.changes, [&](const Change& change) {
    const bool named = holds(change.path);
    if (!named && !(change.after && holds(change.after->target))) return false;
    set.skipped.push_back({change.path, named ? "its name holds a secret" : "its target holds a secret"});
    return true;
  });
  for (auto& skipped : set.skipped) skipped.path = Redact(redaction, skipped.path);
  std::ranges::sort(set.skipped, {}, &workspace::Skipped::path);
  for (auto& change : set.changes) {
    if (change.after && change.danger.empty() && intake.Redacted(change.after->sha256) > 0)
      change.danger = "a secret was redacted in it";
  }
}

Result<> TakeChanges(RunResults& results, isolation::Session& guest, BlobIntake& intake, const ResultPlaces& places) {
  const auto tree = WRIT_TRY("changes", guest.Tree(isolation::Place::kWorkspace));
  results.changes = WRIT_TRY("changes", workspace::FindChanges(places.given.manifest, tree.root, *tree.opener,
                                                               tree.complete, {}, intake));
  RedactChanges(results.changes, intake, places.redaction);
  // The lower layer could have been changed under the guest's feet by somebody else.
  results.drift = WRIT_TRY("changes", FindDrift(places.given, places.state, places.clock));
  if (!results.drift.paths.empty()) {
    Json paths = Json::MakeArray();
    for (const auto& path : results.drift.paths) paths.Append(workspace::ToWirePath(path));
    Json facts = Json::Of({{"paths", std::move(paths)}});
    if (results.drift.more) facts.Set("more", true);
    results.events.push_back(event::Extension("writ.workspace.changed", std::move(facts)));
  }
  if (results.changes.changes.empty() && results.changes.skipped.empty()) return {};

  std::set<std::string_view> stored;
  for (const auto& change : results.changes.changes) {
    if (!IsDirectory(change))
      results.events.push_back(event::FileChanged(workspace::ToWirePath(change.path), ContentHash(change)));
    if (change.after && !change.after->sha256.empty() && stored.insert(change.after->sha256).second)
      results.artifacts.push_back({"content", change.after->sha256, change.after->sha256, change.after->bytes});
  }
  auto record = WRIT_TRY("changes", StoreRecord(places.blobs, "changes", EncodeChanges(results.changes)));
  Json facts = Json::Of({{"sha256", record.hash}, {"changes", results.changes.changes.size()}});
  if (!results.changes.incomplete.empty()) facts.Set("incomplete", results.changes.incomplete);
  results.events.push_back(event::Extension("writ.changes.recorded", std::move(facts)));
  results.artifacts.push_back(std::move(record));

  BlobOutlet outlet(places.blobs);
  BlobSpill diff(places.blobs);
  const sys::UniqueFd& originals = places.given.workspace.valid() ? places.given.workspace : tree.root;
  secrets::Redactor redactor(places.redaction);
  const secrets::Redactor::Sink keep = [&](ByteView bytes) { return diff.Write(bytes); };
  WRIT_TRY("diff", workspace::WriteDiff(results.changes, originals, outlet, {},
                                        [&](std::string_view text) { return redactor.Write(AsBytes(text), keep); }));
  WRIT_TRY("diff", redactor.Finish(keep));
  const std::string hash = WRIT_TRY("diff", diff.Finish(Durability::kBuffered));
  if (!hash.empty()) NameDiff(results, hash, diff.bytes());
  return {};
}

}  // namespace

void NameDiff(RunResults& results, std::string hash, std::uint64_t bytes) {
  results.events.push_back(event::ArtifactCreated("diff", hash));
  results.events.push_back(event::BoundaryCrossed("out", hash, "code-diff"));
  results.artifacts.push_back({"diff", "", std::move(hash), bytes});
}

Result<> CollectLog(RunResults& results, GuestOutput& output, storage::BlobStore& blobs, const LogKeeping& keeping) {
  auto captured = WRIT_TRY("log", output.Finish(Durability::kBuffered));
  if (keeping.as_utf8 && !captured.log.hash.empty()) {
    const std::string text = WRIT_TRY("log", blobs.Get(captured.log.hash, captured.log.bytes));
    if (!IsUtf8(text)) {
      const std::string valid = ToValidUtf8(text);
      captured.log = {WRIT_TRY("log", blobs.Put(AsBytes(valid), Durability::kBuffered)), valid.size()};
    }
  }
  if (!captured.log.hash.empty()) {
    results.artifacts.push_back({"log", "", captured.log.hash, captured.log.bytes});
    results.events.push_back(event::ArtifactCreated("log", captured.log.hash));
    results.events.push_back(event::BoundaryCrossed("out", captured.log.hash, "session-log"));
  }
  const auto keep = [&](const char* name, const CapturedStream& stream) {
    if (stream.hash.empty() || !keeping.streams) return;
    results.artifacts.push_back({name, "", stream.hash, stream.bytes});
    results.events.push_back(event::Extension(
        "writ.stream.kept", Json::Of({{"stream", name}, {"sha256", stream.hash}, {"bytes", stream.bytes}})));
  };
  keep("stdout", captured.out);
  keep("stderr", captured.err);
  const auto redacted = [&](const char* name, std::uint64_t found) {
    if (found == 0) return;
    results.events.push_back(event::Extension("writ.stream.redacted", Json::Of({{"stream", name}, {"found", found}})));
  };
  redacted("stdout", captured.redacted_out);
  redacted("stderr", captured.redacted_err);
  return {};
}

namespace {

void NameOutput(RunResults& results, const workspace::CollectedOutput& output, const BlobIntake& intake) {
  results.events.push_back(event::Extension(
      "writ.output.collected",
      Json::Of({{"name", output.name}, {"sha256", output.sha256}, {"bytes", output.bytes}})));
  std::uint64_t redacted = intake.Redacted(output.sha256);
  for (const auto& file : output.files.entries) redacted += intake.Redacted(file.state.sha256);
  if (redacted > 0)
    results.events.push_back(event::Extension("writ.output.redacted", Json::Of({{"name", output.name}, {"found", redacted}})));
  if (output.type == EntryType::kFile) {
    results.artifacts.push_back({"output", output.name, output.sha256, output.bytes});
    return;
  }
  for (const auto& file : output.files.entries) {
    if (file.state.type == EntryType::kFile)
      results.artifacts.push_back({"output", output.name + "/" + workspace::ToWirePath(file.path), file.state.sha256,
                                   file.state.bytes});
  }
}

/// Size of the file at a path; 0 for anything else, or when it cannot be opened.
std::uint64_t BytesAt(const isolation::GuestTree& tree, std::string_view path) {
  sys::TreeEntry entry;
  const sys::UniqueFd* directory = &tree.root;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    auto next = tree.opener->Open(*directory, path.substr(at, end - at));
    if (!next) return 0;
    entry = *std::move(next);
    directory = &entry.fd;
    at = end + 1;
  }
  return entry.meta.type == sys::FileType::kRegular ? entry.meta.bytes : 0;
}

/// Files of an output directory whose names hold a secret are not released: they are told as undeclared, without it.
void WithholdNames(workspace::Collection& collection, const Redaction& redaction) {
  if (redaction == nullptr) return;
  for (auto& output : collection.outputs) {
    const std::size_t withheld = std::erase_if(output.files.entries, [&](const auto& entry) {
      if (Redact(redaction, entry.path) == entry.path) return false;
      if (entry.state.type == EntryType::kFile) output.files.bytes -= entry.state.bytes;
      if (collection.undeclared.size() < workspace::CollectLimits().undeclared_max)
        collection.undeclared.push_back(output.name + "/" + entry.path);
      return true;
    });
    if (withheld == 0) continue;
    collection.undeclared_count += withheld;
    output.bytes = output.files.bytes;
    output.sha256 = workspace::DigestOf(output.files);
  }
}

Result<> TakeOutputs(RunResults& results, isolation::Session& guest, BlobIntake& intake, const ResultPlaces& places) {
  const auto tree = WRIT_TRY("outputs", guest.Tree(isolation::Place::kOut));
  auto& collection = results.collection;
  collection = WRIT_TRY("outputs", workspace::Collect(tree.root, *tree.opener, places.declared, {}, intake));
  WithholdNames(collection, places.redaction);
  for (const auto& output : collection.outputs) NameOutput(results, output, intake);
  for (const auto& missing : collection.missing) {
    results.events.push_back(
        event::Extension("writ.output.missing", Json::Of({{"name", missing.path}, {"reason", missing.reason}})));
  }
  for (std::size_t i = 0; i < collection.undeclared.size(); ++i) {
    Json facts = Json::Of({{"name", workspace::ToWirePath(collection.undeclared[i])},
                           {"bytes", BytesAt(tree, collection.undeclared[i])}});
    if (i + 1 == collection.undeclared.size() && collection.undeclared_count > collection.undeclared.size())
      facts.Set("more", collection.undeclared_count - collection.undeclared.size());
    results.events.push_back(event::Extension("writ.output.undeclared", std::move(facts)));
  }
  for (auto& name : collection.undeclared) name = Redact(places.redaction, name);
  if (collection.outputs.empty()) return {};
  auto record = WRIT_TRY("outputs", StoreRecord(places.blobs, "outputs", EncodeOutputs(collection.outputs)));
  results.events.push_back(event::Extension(
      "writ.outputs.recorded", Json::Of({{"sha256", record.hash}, {"outputs", collection.outputs.size()}})));
  results.artifacts.push_back(std::move(record));
  return {};
}

}  // namespace

Result<> CollectOutputs(RunResults& results, isolation::Session& guest, const ResultPlaces& places) {
  BlobIntake intake(places.blobs, places.redaction);
  return TakeOutputs(results, guest, intake, places);
}

Result<> SealResults(RunResults& results, const ResultPlaces& places) {
  for (Json& said : results.events) RedactEvent(places.redaction, said);
  // Everything at once, and before anything is named: many small blobs cost little more than one.
  std::vector<std::string> hashes;
  for (const auto& artifact : results.artifacts) hashes.push_back(artifact.hash);
  if (!hashes.empty()) WRIT_TRY("collect", places.blobs.MakeDurable(hashes));
  return {};
}

Result<RunResults> CollectResults(isolation::Session* guest, GuestOutput& output, const ResultPlaces& places) {
  RunResults results;
  BlobIntake intake(places.blobs, places.redaction);
  if (guest != nullptr) WRIT_TRY("collect", TakeChanges(results, *guest, intake, places));
  WRIT_TRY("collect", CollectLog(results, output, places.blobs));
  if (guest != nullptr) WRIT_TRY("collect", TakeOutputs(results, *guest, intake, places));
  WRIT_TRY("collect", SealResults(results, places));
  return results;
}

}  // namespace writ::session
