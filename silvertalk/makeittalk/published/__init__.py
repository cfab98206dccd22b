"""The files of the published MakeItTalk."""
