import { Schema } from "effect"

/** A setting that can't be used, and what to do about it. */
export class InvalidSetting extends Schema.TaggedError<InvalidSetting>()("InvalidSetting", {
  setting: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return `${this.setting}: ${this.detail}`
  }
}
