// A submit as the state keeps it. Submits of arrays differ in little, very often: in their arguments, in
// their ids and in the job that their paths name. All else is kept once for those that are alike.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hq/core/ids.h"
#include "hq/core/pool.h"
#include "hq/core/task.h"

namespace hq {

// What like submits have in common.
struct SubmitForm {
  SubmitDescription submit;  // without arguments, and without ids that are one range
  // Its paths are as they were written and still name the job; filled with this uid.
  bool names_job = false;
  std::string server_uid;
  friend bool operator==(const SubmitForm&, const SubmitForm&) = default;
};

using Arguments = std::vector<std::string>;

struct SubmitPools {
  Pool<SubmitForm> forms;
  Pool<Arguments> arguments;
};

class KeptSubmit {
 public:
  // `server_uid` is that of the server which filled its paths. The pools outlive it.
  KeptSubmit(std::shared_ptr<const SubmitDescription> submit, JobId job, std::string_view server_uid,
             SubmitPools& pools);

  // The whole submit, with all paths of its job: made when it is asked for, unless it is one of a kind.
  [[nodiscard]] std::shared_ptr<const SubmitDescription> whole(JobId job) const;

  // What is at hand without making the whole.
  [[nodiscard]] bool is_graph() const { return common().is_graph(); }
  [[nodiscard]] const std::vector<GraphTask>& graph() const { return common().graph; }
  [[nodiscard]] const Entries* entries() const { return common().entries ? &*common().entries : nullptr; }
  [[nodiscard]] const std::optional<std::string>& log_path() const { return common().log_path; }
  // The ids of an array: its only range, or null and then all parts as they were written.
  [[nodiscard]] const IdRange* one_range() const { return one_range_ ? &range_.range : nullptr; }
  [[nodiscard]] const std::vector<IdArray::Part>& parts() const { return common().ids.parts; }
  // Of an array: what its tasks ask for. Its program is not there: whole() tells that.
  [[nodiscard]] const TaskDescription& wants() const { return common().task; }

 private:
  [[nodiscard]] const SubmitDescription& common() const { return form_ ? form_->submit : *own_; }

  Pool<SubmitForm>::Use form_;
  Pool<Arguments>::Use arguments_;
  std::shared_ptr<const SubmitDescription> own_;  // one of a kind; then there is no form
  IdArray::Part range_;
  bool one_range_ = false;
};

}  // namespace hq
