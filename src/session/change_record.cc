#include "session/change_record.h"

#include <optional>

#include "session/file_state_json.h"
#include "workspace/warrant_manifest.h"

namespace writ::session {
namespace {

using canon::Json;
using workspace::Change;
using workspace::ChangeKind;
using workspace::ChangeSet;
using workspace::FileState;
using workspace::Skipped;

constexpr std::string_view kChangesVersion = "writ.changes.v1";

Json EncodeSkipped(const std::vector<Skipped>& skipped) {
  Json list = Json::MakeArray();
  for (const auto& entry : skipped)
    list.Append(Json::Of({{"path", workspace::ToWirePath(entry.path)}, {"reason", entry.reason}}));
  return list;
}

Result<std::optional<FileState>> DecodeOptionalState(const Json& change, std::string_view name) {
  const Json* state = change.Find(name);
  if (state == nullptr) return std::optional<FileState>();
  auto decoded = DecodeFileState(*state);
  if (!decoded) return std::unexpected(std::move(decoded).error().Doing(name));
  return std::optional(*std::move(decoded));
}

Result<Change> DecodeChange(const Json& json) {
  Change change;
  change.path = WRIT_TRY("change", RecordPath(json, "path"));
  const std::string kind = WRIT_TRY("change", RecordText(json, "kind"));
  bool known = false;
  for (const auto candidate : {ChangeKind::kAdded, ChangeKind::kModified, ChangeKind::kDeleted}) {
    if (workspace::ChangeKindName(candidate) != kind) continue;
    change.kind = candidate;
    known = true;
  }
  if (!known) return Fail(Code::kCorrupt, "record: \"kind\" is neither added, modified nor deleted");
  change.before = WRIT_TRY("change", DecodeOptionalState(json, "before"));
  change.after = WRIT_TRY("change", DecodeOptionalState(json, "after"));
  if (const auto* danger = json.FindString("danger")) change.danger = *danger;
  if (const auto* note = json.FindString("note")) change.note = *note;
  return change;
}

}  // namespace

Json EncodeChanges(const ChangeSet& changes) {
  Json list = Json::MakeArray();
  for (const auto& change : changes.changes) {
    Json entry = Json::Of(
        {{"path", workspace::ToWirePath(change.path)}, {"kind", workspace::ChangeKindName(change.kind)}});
    if (change.before) entry.Set("before", EncodeFileState(*change.before));
    if (change.after) entry.Set("after", EncodeFileState(*change.after));
    if (!change.danger.empty()) entry.Set("danger", change.danger);
    if (!change.note.empty()) entry.Set("note", change.note);
    list.Append(std::move(entry));
  }
  Json record = Json::Of(
      {{"version", kChangesVersion}, {"changes", std::move(list)}, {"skipped", EncodeSkipped(changes.skipped)}});
  if (!changes.incomplete.empty()) record.Set("incomplete", changes.incomplete);
  return record;
}

Result<ChangeSet> DecodeChanges(const Json& record) {
  WRIT_TRY("changes", CheckRecordVersion(record, kChangesVersion));
  ChangeSet changes;
  for (const Json& change : *WRIT_TRY("changes", RecordList(record, "changes")))
    changes.changes.push_back(WRIT_TRY("changes", DecodeChange(change)));
  for (const Json& skipped : *WRIT_TRY("skipped", RecordList(record, "skipped"))) {
    const std::string path = WRIT_TRY("skipped", RecordPath(skipped, "path"));
    changes.skipped.push_back({path, WRIT_TRY("skipped", RecordText(skipped, "reason"))});
  }
  if (const auto* incomplete = record.FindString("incomplete")) changes.incomplete = *incomplete;
  return changes;
}

}  // namespace writ::session
