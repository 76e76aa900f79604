"""SES (version 2) by its own names: its operations, and what they take."""

from collections.abc import Mapping

from msgsim.service.operation import Operation
from msgsim.service.parameters import ANY_TEXT, BYTES, FLAG, TEXT, WHOLE, ListOf, Shape, Structure
from msgsim.service.ses_accounts import get_account, put_account_sending_attributes
from msgsim.service.ses_refusals import SES
from msgsim.service.ses_sending import send_bulk_email, send_email
from msgsim.service.ses_templates import (
    create_email_template,
    delete_email_template,
    get_email_template,
    list_email_templates,
    test_render_email_template,
    update_email_template,
)

TEXTS = ListOf(TEXT)
PAGES: Mapping[str, Shape] = {"NextToken": TEXT, "PageSize": WHOLE}
PAIRS = ListOf(Structure({"Name": TEXT, "Value": TEXT}))
"""Tags or headers."""

_DATA = Structure({"Data": ANY_TEXT}, {"Charset": TEXT})
"""A text; its charset is of no consequence where nothing is encoded."""

_EXTRAS: Mapping[str, Shape] = {
    "Attachments": ListOf(
        Structure(
            {"FileName": TEXT, "RawContent": BYTES},
            {
                "ContentDescription": TEXT,
                "ContentDisposition": TEXT,
                "ContentId": TEXT,
                "ContentTransferEncoding": TEXT,
                "ContentType": TEXT,
            },
        )
    ),
    "Headers": PAIRS,
}
_TEMPLATE_TEXTS = Structure({}, {"Html": TEXT, "Subject": TEXT, "Text": TEXT})
_TEMPLATE = Structure({}, {"TemplateContent": _TEMPLATE_TEXTS, "TemplateData": TEXT, "TemplateName": TEXT, **_EXTRAS})
_DESTINATION = Structure({}, {"ToAddresses": TEXTS, "CcAddresses": TEXTS, "BccAddresses": TEXTS})
_SENDING: Mapping[str, Shape] = {
    "ConfigurationSetName": TEXT,
    "FeedbackForwardingEmailAddress": TEXT,
    "ReplyToAddresses": TEXTS,
    "TenantName": TEXT,
}

OPERATIONS: Mapping[str, Operation] = {
    "CreateEmailTemplate": Operation(
        SES, create_email_template, Structure({"TemplateName": TEXT, "TemplateContent": _TEMPLATE_TEXTS})
    ),
    "DeleteEmailTemplate": Operation(SES, delete_email_template, Structure({"TemplateName": TEXT})),
    "GetAccount": Operation(SES, get_account, Structure({})),
    "GetEmailTemplate": Operation(SES, get_email_template, Structure({"TemplateName": TEXT})),
    "ListEmailTemplates": Operation(SES, list_email_templates, Structure({}, PAGES)),
    "PutAccountSendingAttributes": Operation(
        SES, put_account_sending_attributes, Structure({}, {"SendingEnabled": FLAG})
    ),
    "SendBulkEmail": Operation(
        SES,
        send_bulk_email,
        Structure(
            {
                "FromEmailAddress": TEXT,
                "DefaultContent": Structure({"Template": _TEMPLATE}),
                "BulkEmailEntries": ListOf(
                    Structure(
                        {"Destination": _DESTINATION},
                        {
                            "ReplacementEmailContent": Structure(
                                {}, {"ReplacementTemplate": Structure({}, {"ReplacementTemplateData": TEXT})}
                            ),
                            "ReplacementHeaders": PAIRS,
                            "ReplacementTags": PAIRS,
                        },
                    )
                ),
            },
            {"DefaultEmailTags": PAIRS, **_SENDING},
        ),
    ),
    "SendEmail": Operation(
        SES,
        send_email,
        Structure(
            {
                "Content": Structure(
                    {},
                    {
                        "Raw": Structure({"Data": BYTES}),
                        "Simple": Structure(
                            {"Subject": _DATA, "Body": Structure({}, {"Text": _DATA, "Html": _DATA})}, _EXTRAS
                        ),
                        "Template": _TEMPLATE,
                    },
                )
            },
            {
                "Destination": _DESTINATION,
                "EmailTags": PAIRS,
                "FromEmailAddress": TEXT,
                "ListManagementOptions": Structure({"ContactListName": TEXT}, {"TopicName": TEXT}),
                **_SENDING,
            },
        ),
    ),
    "TestRenderEmailTemplate": Operation(
        SES, test_render_email_template, Structure({"TemplateName": TEXT, "TemplateData": TEXT})
    ),
    "UpdateEmailTemplate": Operation(
        SES, update_email_template, Structure({"TemplateName": TEXT, "TemplateContent": _TEMPLATE_TEXTS})
    ),
}
"""The operations by name."""
